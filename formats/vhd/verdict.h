/// Verdict: which rules of FORMATS 5.1 a file breaks, and what follows from each.
///
/// One gate serves open (refuses at the first rejection, keeps the rest as warnings) and check
/// (reports everything).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "vdisk/error.h"

namespace vdisk::vhd {

/// What breaking a rule means for opening.
enum class Consequence {
  reject,     ///< the file cannot be used
  read_only,  ///< reading is safe, writing is refused
  repair,     ///< reading is safe, opening for writing puts it right
  warn,
  ignore,  ///< only check mentions it
};

struct Violation {
  std::string_view rule;  ///< "V1".."V41"; a string literal
  Consequence consequence = Consequence::ignore;
  Error error;
  std::string_view repair = {};  ///< what a repair would do; empty: nothing can be done
};

class Verdict {
 public:
  void add(Violation violation) { violations_.push_back(std::move(violation)); }
  void add(std::string_view rule, Consequence consequence, Error error) {
    violations_.push_back({rule, consequence, std::move(error)});
  }
  /// The first error that forbids to use the file; null when there is none.
  [[nodiscard]] const Error* rejection() const { return first(Consequence::reject); }
  /// The first error that forbids to write; null when there is none.
  [[nodiscard]] const Error* write_refusal() const { return first(Consequence::read_only); }
  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }
  [[nodiscard]] bool breaks(std::string_view rule) const {
    return std::ranges::find(violations_, rule, &Violation::rule) != violations_.end();
  }
  /// What a repair would do about the violations of a rule.
  void set_repair(std::string_view rule, std::string_view repair) {
    for (Violation& violation : violations_) {
      if (violation.rule == rule) violation.repair = repair;
    }
  }
  void forget_repairs() {
    for (Violation& violation : violations_) violation.repair = {};
  }

 private:
  [[nodiscard]] const Error* first(Consequence consequence) const {
    for (const Violation& violation : violations_) {
      if (violation.consequence == consequence) return &violation.error;
    }
    return nullptr;
  }

  std::vector<Violation> violations_;
};

/// An error about a structure at an offset.
[[nodiscard]] inline Error error_at(u64 offset, Errc code, std::string message) {
  return Error{code, std::move(message), 0, offset};
}

}  // namespace vdisk::vhd
