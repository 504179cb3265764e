/// What each sector of a guest's disk may hold: the value that is known to be there, or one that
/// was issued since.
///
/// A value is a number: 0 stands for zeros, every other one for a sector that names its own place,
/// the number, and nothing else, so that foreign and mixed bytes are seen.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "vdisk/types.h"

namespace vdisk::test {

inline constexpr u64 model_sector = 512;

/// A range of sectors filled with a value.
[[nodiscard]] std::vector<std::byte> sectors_of(u64 offset, u64 length, u32 value);
/// The value of one sector; empty when it holds anything else.
[[nodiscard]] std::optional<u32> value_of(std::span<const std::byte> sector, u64 offset);

class GuestModel {
 public:
  explicit GuestModel(u64 size = 0);

  /// A write, zeroing or discard was begun.
  void issue(u64 offset, u64 length, u32 value);
  /// The size may change from now on; new sectors are zeros.
  void issue_size(u64 size);
  /// What was issued last is there for good.
  void settle();
  void settle_size();

  /// The size that was issued last.
  [[nodiscard]] u64 size() const { return sizes_.empty() ? size_ : sizes_.back(); }
  [[nodiscard]] bool admits_size(u64 size) const;
  /// Why the bytes may not be there; empty when they may.
  [[nodiscard]] std::string judge(u64 offset, std::span<const std::byte> bytes) const;
  /// The same for zeros.
  [[nodiscard]] std::string judge_zeros(u64 offset, u64 length) const;

 private:
  struct Run {
    u64 end = 0;
    u32 settled = 0;
    std::vector<u32> issued = {};

    [[nodiscard]] bool admits(u32 value) const;
    [[nodiscard]] std::string describe() const;
  };
  void cut_at(u64 offset);

  u64 size_ = 0;
  std::vector<u64> sizes_;   ///< issued since
  std::map<u64, Run> runs_;  ///< by first byte; without gaps, up to the largest size
};

}  // namespace vdisk::test
