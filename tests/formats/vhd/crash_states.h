/// A File that tells which states a power failure could leave: between two flushes any subset of
/// the changes, torn at 512 bytes, and the size old or new (HOSTILE section 7).
#pragma once

#include <functional>
#include <random>

#include "image_access.h"
#include "support/forwarding_file.h"

namespace vdisk::test {

class CrashFile : public ForwardingFile {
 public:
  using Examine = std::function<void(const std::shared_ptr<MemoryFile>& state)>;

  CrashFile(const std::shared_ptr<MemoryFile>& file, u64 seed)
      : ForwardingFile(file), now_(file), durable_(file->clone()), random_(seed) {}

  /// Called for each state after every change from now on.
  void examine_with(Examine examine) { examine_ = std::move(examine); }
  [[nodiscard]] u64 states() const { return states_; }

  Status write_at(u64 offset, std::span<const std::byte> data) override {
    return change({offset, data.size(), Bytes(data.begin(), data.end())},
                  [&] { return now_->write_at(offset, data); });
  }
  Status zero_at(u64 offset, u64 length) override {
    return change({offset, length, {}}, [&] { return now_->zero_at(offset, length); });
  }
  Status punch_at(u64 offset, u64 length) override {
    return change({offset, length, {}}, [&] { return now_->punch_at(offset, length); });
  }
  Status resize(u64 new_size) override {
    return change({0, 0, {}}, [&] { return now_->resize(new_size); });
  }
  Status flush() override {
    durable_ = now_->clone();
    volatile_.clear();
    examine_states();
    return {};
  }

 private:
  struct Change {
    u64 offset = 0;
    u64 length = 0;
    Bytes data;  ///< empty: zeros
  };
  using Chosen = std::vector<bool>;

  Status change(Change what, const std::function<Status()>& apply) {
    if (auto applied = apply(); !applied) return applied;
    volatile_.push_back(std::move(what));
    examine_states();
    return {};
  }

  void examine_states() {
    if (!examine_) return;
    const std::size_t count = volatile_.size();
    examine_state(Chosen(count, false), false);
    if (count == 0) return;
    examine_state(Chosen(count, true), false);
    Chosen only(count, false);  // the newest change alone, and all but it
    only.back() = true;
    examine_state(only, false);
    only.flip();
    examine_state(only, false);
    constexpr int samples = 4;
    for (int n = 0; n < samples; ++n) {
      Chosen some(count);
      for (std::size_t index = 0; index < count; ++index) some[index] = random_() % 2 == 0;
      examine_state(some, true);
    }
  }

  void examine_state(const Chosen& chosen, bool torn) {
    for (const bool new_size : {false, true}) {
      const auto state = durable_->clone();
      for (std::size_t index = 0; index < chosen.size(); ++index) {
        if (chosen[index]) apply(volatile_[index], *state, torn);
      }
      REQUIRE(state->resize(*(new_size ? now_ : durable_)->size()).has_value());
      ++states_;
      examine_(state);
    }
  }

  /// A torn change keeps each of its sectors by chance.
  void apply(const Change& change, MemoryFile& state, bool torn) {
    constexpr u64 largest_torn = 64 * kib;  // larger changes are holes: all or nothing
    if (!torn || change.length > largest_torn) return apply_part(change, 0, change.length, state);
    for (u64 at = 0; at < change.length;) {
      const u64 part = std::min(change.length - at, 512 - (change.offset + at) % 512);
      if (random_() % 2 == 0) apply_part(change, at, part, state);
      at += part;
    }
  }

  static void apply_part(const Change& change, u64 at, u64 length, MemoryFile& state) {
    if (length == 0) return;
    const auto applied =
        change.data.empty()
            ? state.zero_at(change.offset + at, length)
            : state.write_at(change.offset + at, std::span(change.data).subspan(at, length));
    REQUIRE(applied.has_value());
  }

  std::shared_ptr<MemoryFile> now_;
  std::shared_ptr<MemoryFile> durable_;
  std::vector<Change> volatile_;
  std::mt19937_64 random_;
  Examine examine_;
  u64 states_ = 0;
};

}  // namespace vdisk::test
