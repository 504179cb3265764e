/// Fault injection: every scenario again, with the N-th operation of a kind, or the N-th
/// allocation, failing, for all N (HOSTILE E-01 to E-05, E-07, E-18).
///
/// The step fails with the code of the fault. What the guest reads goes on being what it had or
/// what it issued. After the fault is gone the same step succeeds; after a failed flush nothing is
/// written any more until the disk is opened again. The image is sound then, and flushed data are
/// there. An operation that failed may be run again, and ends as if nothing had happened. The same
/// after memory ran out in the middle of a change.
#pragma once

#include "crash/scenario.h"

namespace vdisk::test {

struct Fault {
  /// Empty: allocations, in programs that replace operator new.
  std::optional<StorageOperation::Kind> kind = StorageOperation::Kind::write;
  u64 index = 0;  ///< of the first operation of that kind that fails
  bool for_ever = false;
  Errc code = Errc::io;
  bool partly = false;  ///< a write leaves some of its sectors behind
};
[[nodiscard]] std::string describe(const Fault& fault);

/// Threads: as StorageHook.
class FaultHook : public StorageHook {
 public:
  explicit FaultHook(const Fault& fault);
  ~FaultHook() override;
  FaultHook(const FaultHook&) = delete;
  FaultHook& operator=(const FaultHook&) = delete;

  Status before(StorageOperation& operation) override;
  /// Counts from now on.
  void begin();
  /// Nothing fails from now on.
  void heal();
  [[nodiscard]] u64 failures() const;
  [[nodiscard]] u64 count() const;
  [[nodiscard]] bool failed_flush() const {
    return failures_ != 0 && fault_.kind == StorageOperation::Kind::flush;
  }

 private:
  Fault fault_;
  bool healed_ = false;
  u64 count_ = 0;
  u64 failures_ = 0;
};

/// What happens after a fault.
enum class Aftermath {
  go_on,  ///< the fault is gone: the step again, and all that follow
  die,    ///< the process ends; the disk is opened anew
};

struct FaultResult {
  std::size_t runs = 0;
  std::size_t fired = 0;  ///< runs in which the fault hit something
  std::size_t violation_count = 0;
  std::vector<std::string> violations;  ///< the first few
};

struct FaultOptions {
  u64 seed = 1;
  /// Of one kind of operation so many indices at most; more are sampled.
  u64 most_indices = 60;
  bool allocations = false;  ///< these alone, instead of operations of storage
};

[[nodiscard]] FaultResult inject_faults(const Scenario& scenario, const FaultOptions& options);

}  // namespace vdisk::test
