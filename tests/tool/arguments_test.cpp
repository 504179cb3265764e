/// Specifies tools/vdisk-tool/arguments.h: what the command line may look like.
#include "arguments.h"

#include <doctest/doctest.h>

using namespace vdisk;
using namespace vdisk::tool;

namespace {

struct Line {
  Arguments arguments{"test", "test: for tests."};
  std::filesystem::path path;
  bool json = false;
  std::optional<u64> size;
  std::optional<std::string> text;
  std::vector<std::string> roots;
  int color = 0;

  Line() {
    arguments.positional("PATH", path, "a path");
    arguments.flag("-j,--json", json, "a flag");
    arguments.size("--size", size, "a size");
    arguments.text("--text", "TEXT", text, "a text");
    arguments.choice<int>("--color", color, {{"red", 1}, {"green", 2}}, "a choice");
    arguments.repeatable(
        "--root", "DIR",
        [this](const std::string& word) -> Status {
          roots.push_back(word);
          return {};
        },
        "many");
    arguments.example("test x", "an example");
  }
  std::string refusal(const std::vector<std::string>& words) {
    const auto parsed = arguments.parse(words);
    if (parsed) return "";
    CHECK(parsed.error().code == Errc::invalid_argument);
    return parsed.error().message;
  }
};

}  // namespace

TEST_CASE("options may stand before and behind the names, with = or without") {
  Line line;
  REQUIRE(line.refusal({"--size=1K", "disk", "-j", "--text", "--x", "--color", "green"}) == "");
  CHECK(line.path == "disk");
  CHECK(line.json);
  CHECK(line.size == 1024);
  CHECK(line.text == "--x");
  CHECK(line.color == 2);
}

TEST_CASE("after -- everything is a name") {
  for (const char* name : {"-", "--help", "-f", "--", "--json", "[a]", "a b", "{}"}) {
    Line line;
    INFO(name);
    REQUIRE(line.refusal({"--", name}) == "");
    // A single dash alone would be a stream.
    CHECK(line.path == (std::string_view(name) == "-" ? "./-" : name));
    CHECK_FALSE(line.json);
  }
}

TEST_CASE("values are taken as they are typed") {
  for (const char* value : {"", "[a,b]", "-1", "a,b", "\"q\"", "{}", "%"}) {
    Line line;
    INFO(value);
    REQUIRE(line.refusal({"x", "--text", value, "--root", value, "--root", "y"}) == "");
    CHECK(line.text == value);
    CHECK(line.roots == std::vector<std::string>{value, "y"});
  }
  Line line;
  REQUIRE(line.refusal({"--text=", "x"}) == "");
  CHECK(line.text == "");
  CHECK(line.path == "x");
}

TEST_CASE("the last of several values counts") {
  Line line;
  REQUIRE(line.refusal({"x", "--size", "1", "--size", "2"}) == "");
  CHECK(line.size == 2);
}

TEST_CASE("refusals name the argument") {
  CHECK(Line().refusal({}) == "PATH is missing");
  CHECK(Line().refusal({""}) == "PATH: the name is empty");
  CHECK(Line().refusal({"x", "y"}) == "unexpected argument \"y\"");
  CHECK(Line().refusal({"--", "x", "--json"}) == "unexpected argument \"--json\"");
  CHECK(Line().refusal({"x", "--jsn"}) == "unknown option \"--jsn\"; did you mean --json?");
  CHECK(Line().refusal({"--sise=1G"}) == "unknown option \"--sise\"; did you mean --size?");
  CHECK(Line().refusal({"x", "--zzzzzz"}) == "unknown option \"--zzzzzz\"");
  CHECK(Line().refusal({"x", "--size"}) == "--size: a value is missing");
  CHECK(Line().refusal({"x", "--size", "-1"}) == "--size: \"-1\" is negative");
  CHECK(Line().refusal({"x", "--color", "blue"}) ==
        "--color: \"blue\" is not known, expected red, green");
  CHECK(Line().refusal({"x", "--json=maybe"}).find("--json") != std::string::npos);
}

TEST_CASE("help is shown whatever else is wrong, and has an example") {
  Line line;
  const auto parsed = line.arguments.parse({"--help"});
  REQUIRE(parsed.has_value());
  CHECK(*parsed == Arguments::Parsed::show_help);
  const auto help = line.arguments.help();
  CHECK(help.find("Usage: vdisk-tool test [OPTIONS] PATH") != std::string::npos);
  CHECK(help.find("-j,--json") != std::string::npos);
  CHECK(help.find("--color red|green") != std::string::npos);
  CHECK(help.find("vdisk-tool test x") != std::string::npos);
}

TEST_CASE("the nearest word is found, and none where all are far") {
  CHECK(nearest("creat", {"create", "check"}) == "create");
  CHECK(nearest("convret", {"convert", "compare"}) == "convert");
  CHECK(nearest("frobnicate", {"convert", "compare"}).empty());
  CHECK(nearest("", {"map"}).empty());
}
