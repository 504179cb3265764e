"""The catalogue of hostile files: what is promised for each case, and who builds it.

`catalogue.txt` lists every case: id | promised | when at the latest | what it is. The case modules
register one builder for each id; a case without a builder, or a builder without a case, is an
error.
"""

from pathlib import Path

REFUSALS = frozenset(["corrupt", "truncated", "unsupported", "limit", "not_image",
                      "parent_not_found", "parent_mismatch", "parent_policy", "parent_cycle"])
WORDS = {"open": {"opens"}, "opens": {"opens"}, "repair": {"repairable"},
         "repairable": {"repairable"}, "reject": REFUSALS}

BUILDERS = {}


class Case:
    def __init__(self, line):
        self.id, self.promise, self.when, self.what = [word.strip() for word in line.split("|", 3)]
        self.allowed = allowed_outcomes(self.promise)


def allowed_outcomes(promise):
    """`corrupt or open/repair` -> {corrupt, opens, repairable}."""
    outcomes = set()
    for word in promise.replace("(locator)", "").replace(" or ", "/").split("/"):
        word = word.strip()
        outcomes |= WORDS.get(word) or {word}
    unknown = outcomes - REFUSALS - {"opens", "repairable"}
    if unknown:
        raise ValueError(f"catalogue.txt: unknown words {sorted(unknown)}")
    return outcomes


def read_catalogue():
    text = (Path(__file__).parent / "catalogue.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    cases = [Case(line) for line in lines]
    ids = [case.id for case in cases]
    if len(set(ids)) != len(ids):
        raise ValueError("catalogue.txt: an id occurs twice")
    return cases


def case(*ids):
    """Registers a builder: called with a folder, it leaves an image there and returns it."""
    def register(function):
        for case_id in ids:
            if case_id in BUILDERS:
                raise ValueError(f"two builders for {case_id}")
            BUILDERS[case_id] = function
        return function
    return register


def variants(prefix, values):
    """Registers one builder for each `{letter: value}`; it is called with the folder and the
    value."""
    def register(function):
        for letter, value in values.items():
            case(prefix + letter)(lambda folder, value=value: function(folder, value))
        return function
    return register
