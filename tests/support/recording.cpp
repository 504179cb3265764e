#include "support/recording.h"

#include <fmt/format.h>

namespace vdisk::test {

using Kind = StorageOperation::Kind;

bool Recorded::changes_bytes() const {
  const Kind kind = operation.kind;
  return kind == Kind::write || kind == Kind::zero || kind == Kind::punch;
}

bool Recorded::changes_names() const {
  const Kind kind = operation.kind;
  return kind == Kind::create || kind == Kind::rename || kind == Kind::remove;
}

std::string Recorded::describe() const {
  const std::string what = fmt::format("{} file {}", name(operation.kind), operation.file);
  if (changes_bytes()) {
    return fmt::format("{} {:#x}+{:#x}", what, operation.offset, operation.length);
  }
  if (changes_names()) return fmt::format("{} {} {}", what, operation.name, operation.new_name);
  return operation.kind == Kind::resize ? fmt::format("{} to {:#x}", what, operation.length) : what;
}

Status Recorder::before(StorageOperation& operation) {
  if (operation.kind == Kind::read) return {};
  Recorded copy{operation, {operation.data.begin(), operation.data.end()}};
  copy.operation.data = {};
  recording_.operations.push_back(std::move(copy));
  return {};
}

void Recorder::mark(u64 number) {
  recording_.operations.push_back({{.kind = Kind::mark, .offset = number}, {}});
}

}  // namespace vdisk::test
