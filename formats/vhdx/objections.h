/// What a broken rule means while a structure is read: opening ends at the first one, check and
/// salvage keep it and go on with what still makes sense.
#pragma once

#include <vector>

#include "vdisk/error.h"

namespace vdisk::vhdx {

class Objections {
 public:
  enum class Mode { stop, collect };
  explicit Objections(Mode mode = Mode::stop) : mode_(mode) {}

  /// Mode::stop: the error. Mode::collect: keeps it and succeeds; what follows must not rely on
  /// the rule.
  [[nodiscard]] Status raise(std::unexpected<Error> objection) {
    if (mode_ == Mode::stop) return objection;
    errors_.push_back(std::move(objection).error());
    return {};
  }
  [[nodiscard]] bool empty() const { return errors_.empty(); }
  /// Bounded by the rules: one for each entry of a table at most.
  [[nodiscard]] const std::vector<Error>& errors() const { return errors_; }

 private:
  Mode mode_;
  std::vector<Error> errors_;
};

}  // namespace vdisk::vhdx
