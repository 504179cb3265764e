/// A File whose N-th read, change or flush fails, once or for ever (HOSTILE E-01 .. E-04).
#pragma once

#include <atomic>

#include "support/forwarding_file.h"

namespace vdisk::test {

/// Which calls a fault counts and fails.
enum class FaultyCall {
  read,    ///< read_at
  write,   ///< write_at, zero_at, punch_at, copy_from
  resize,  ///< resize
  flush,   ///< flush; poisons the file as File promises
};

struct Fault {
  FaultyCall call = FaultyCall::write;
  u64 index = 0;  ///< counts from 0: the first call of that kind from now on
  Errc code = Errc::io;
  bool for_ever = false;  ///< every later call of that kind fails as well
};

/// Threads: as File; inject() and heal() from one thread while nobody uses the file.
class FaultFile : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;

  /// Replaces an earlier fault and starts counting anew.
  void inject(const Fault& fault);
  /// No call fails from now on, except that a poisoned file stays poisoned.
  void heal();
  /// How many calls have failed since the last inject().
  [[nodiscard]] u64 failures() const { return failures_; }

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  Status resize(u64 new_size) override;
  Status flush() override;

 private:
  [[nodiscard]] Status pass(FaultyCall call, u64 offset) const;
  [[nodiscard]] Status pass_change(FaultyCall call, u64 offset) const;

  Fault fault_;
  bool armed_ = false;
  mutable std::atomic<u64> calls_ = 0;
  mutable std::atomic<u64> failures_ = 0;
  std::atomic<bool> poisoned_ = false;
};

}  // namespace vdisk::test
