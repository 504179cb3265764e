#include "crash/faults.h"

#include <limits>
#include <new>
#include <random>

#include <fmt/format.h>

#include "crash/judge.h"
#include "support/allocation_fault.h"

namespace vdisk::test {

using Kind = StorageOperation::Kind;

namespace {

constexpr std::size_t most_violations_kept = 5;
constexpr u64 never = std::numeric_limits<u64>::max();

/// One run of a scenario with one fault.
class FaultRun {
 public:
  FaultRun(const Scenario& scenario, const Fault& fault, const Expectation& finally)
      : scenario_(scenario), hook_(fault), fault_(fault), finally_(finally) {
    scenario.prepare(stage_);
    finally_.untouched = stage_.expectation.untouched;  // ids differ from run to run
    stage_.files().set_hook(&hook_);
    hook_.begin();
  }
  ~FaultRun() { stage_.files().set_hook(nullptr); }
  FaultRun(const FaultRun&) = delete;
  FaultRun& operator=(const FaultRun&) = delete;

  std::string run(Aftermath aftermath) {
    auto wrong = scenario_.job ? run_job() : run_session(aftermath);
    hook_.heal();
    if (!wrong.empty()) return wrong;
    const Judge judge(scenario_, stage_.expectation, finally_);
    const bool run_again = scenario_.job && hook_.failures() != 0;
    return judge.judge(stage_.files().tree(), {.live_on = run_again}).violation;
  }
  [[nodiscard]] const FaultHook& hook() const { return hook_; }

 private:
  std::string run_job() {
    const auto done = job();
    return done ? std::string() : judge_error(done.error());
  }

  /// The job's own preparations may be what found no memory.
  Status job() try {
    const CountedAllocations counted;
    return scenario_.job(stage_);
  } catch (const std::bad_alloc&) {
    return fail(Errc::no_memory, {});
  }

  std::string run_session(Aftermath aftermath) {
    Guest guest(stage_, scenario_.disk);
    auto steps = scenario_.warm_up;
    steps.insert(steps.end(), scenario_.steps.begin(), scenario_.steps.end());
    for (const Step& step : steps) {
      const auto done = guest.perform(step);
      if (done) continue;
      auto wrong = judge_error(done.error());
      if (wrong.empty() && aftermath == Aftermath::go_on) wrong = go_on(guest, step);
      if (!wrong.empty()) return fmt::format("{}: {}", describe(step), wrong);
      if (aftermath == Aftermath::die) return {};
    }
    return {};
  }

  std::string judge_error(const Error& error) const {
    if (hook_.failures() == 0) return "failed without a fault: " + error.message;
    const bool poisoned = (hook_.failed_flush() || is_allocation()) && error.code == Errc::poisoned;
    if (error.code == fault_.code || poisoned) return {};
    return fmt::format("failed with {}, expected {}: {}", name(error.code), name(fault_.code),
                       error.message);
  }

  std::string go_on(Guest& guest, const Step& step) {
    // The step may have found another way by now: what counts is what it leaves.
    const bool done = fault_.for_ever && guest.disk() != nullptr && guest.perform(step);
    hook_.heal();
    if (done) return {};
    if (Disk* disk = guest.disk()) {
      u64 digest = 0;
      auto wrong = judge_content(*disk, model(), digest);
      if (!wrong.empty()) return "after the fault: " + wrong;
    }
    if (hook_.failed_flush()) {
      if (auto wrong = judge_poisoned(guest); !wrong.empty()) return wrong;
    }
    if (is_allocation()) guest.drop();  // a change that was broken off is the disk's last
    if (guest.disk() == nullptr) {
      if (auto wrong = open_anew(); !wrong.empty()) return wrong;
    }
    const bool closing = step.kind == Step::Kind::close || step.kind == Step::Kind::reopen;
    if (closing && guest.disk() == nullptr) (void)guest.perform({Step::Kind::flush});
    auto again = guest.perform(step);
    if (!again && again.error().code == Errc::poisoned && step.kind == Step::Kind::grow) {
      guest.drop();  // nobody knows which footer counts until the disk is opened anew
      if (auto wrong = open_anew(); !wrong.empty()) return wrong;
      again = guest.perform(step);
    }
    return again ? std::string() : "again, without fault: " + again.error().message;
  }

  std::string judge_poisoned(Guest& guest) {
    if (guest.disk() == nullptr) return {};
    for (const Step::Kind kind : {Step::Kind::write, Step::Kind::flush}) {
      const auto done = guest.perform({kind, 0, model_sector});
      if (done) return "something is written after a failed flush";
      const bool right = done.error().code == Errc::poisoned || done.error().code == fault_.code;
      if (!right) return "after a failed flush: " + done.error().message;
    }
    guest.drop();
    return {};
  }

  /// What a new look at the disk finds is what has to stay.
  std::string open_anew() {
    const Judge judge(scenario_, stage_.expectation, finally_);
    auto wrong = judge.judge(stage_.files().tree(), {}).violation;
    return wrong.empty() ? adopt_content(stage_, scenario_.disk, model()) : wrong;
  }

  [[nodiscard]] bool is_allocation() const { return !fault_.kind; }
  GuestModel& model() { return stage_.expectation.views.at(scenario_.disk).model; }

  const Scenario& scenario_;
  FaultHook hook_;
  Fault fault_;
  Expectation finally_;
  Stage stage_;
};

/// Runs a scenario once with every fault.
class FaultSeries {
 public:
  FaultSeries(const Scenario& scenario, const FaultOptions& options)
      : scenario_(scenario), options_(options), random_(options.seed) {}

  FaultResult run() {
    finally_ = expectation_when_undisturbed();
    if (options_.allocations) {
      for (const u64 index : indices(count({}))) {
        for (const bool for_ever : {false, true}) {
          try_aftermaths({{}, index, for_ever, Errc::no_memory});
        }
      }
      return std::move(result_);
    }
    for (const Kind kind :
         {Kind::read, Kind::write, Kind::zero, Kind::punch, Kind::resize, Kind::flush, Kind::create,
          Kind::rename, Kind::remove, Kind::sync_names}) {
      for (const u64 index : indices(count(kind))) {
        for (const bool for_ever : {false, true}) try_fault({kind, index, for_ever});
      }
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] Expectation expectation_when_undisturbed() const {
    Stage stage;
    scenario_.prepare(stage);
    if (scenario_.job) (void)scenario_.job(stage);
    return stage.expectation;
  }

  [[nodiscard]] u64 count(std::optional<Kind> kind) const {
    const Expectation nothing;
    FaultRun run(scenario_, {.kind = kind, .index = never}, nothing);
    (void)run.run(Aftermath::go_on);
    return run.hook().count();
  }

  std::vector<u64> indices(u64 count) {
    std::vector<u64> chosen;
    for (u64 index = 0; index < count; ++index) {
      if (count <= options_.most_indices || random_() % count < options_.most_indices) {
        chosen.push_back(index);
      }
    }
    return chosen;
  }

  void try_fault(Fault fault) {
    try_aftermaths(fault);
    const bool needs_space = fault.kind == Kind::write || fault.kind == Kind::zero ||
                             fault.kind == Kind::resize || fault.kind == Kind::create;
    if (!needs_space) return;
    fault.code = Errc::no_space;
    fault.partly = fault.kind == Kind::write;
    try_aftermaths(fault);
  }

  void try_aftermaths(const Fault& fault) {
    for (const Aftermath aftermath : {Aftermath::go_on, Aftermath::die}) {
      if (scenario_.job && aftermath == Aftermath::die) continue;
      FaultRun run(scenario_, fault, finally_);
      auto wrong = run.run(aftermath);
      ++result_.runs;
      if (run.hook().failures() != 0) ++result_.fired;
      if (wrong.empty()) continue;
      ++result_.violation_count;
      if (result_.violations.size() == most_violations_kept) continue;
      result_.violations.push_back(fmt::format(
          "{}{}: {}", describe(fault), aftermath == Aftermath::die ? ", then death" : "", wrong));
    }
  }

  const Scenario& scenario_;
  FaultOptions options_;
  std::mt19937_64 random_;
  Expectation finally_;
  FaultResult result_;
};

}  // namespace

std::string describe(const Fault& fault) {
  return fmt::format("{} {} fails {} with {}{}", fault.kind ? name(*fault.kind) : "allocation",
                     fault.index, fault.for_ever ? "for ever" : "once", name(fault.code),
                     fault.partly ? ", partly done" : "");
}

FaultHook::FaultHook(const Fault& fault) : fault_(fault) {}

FaultHook::~FaultHook() {
  if (!fault_.kind) heal_allocations();
}

void FaultHook::begin() {
  if (!fault_.kind) plan_allocation_fault({fault_.index, fault_.for_ever});
}

void FaultHook::heal() {
  healed_ = true;
  if (!fault_.kind) heal_allocations();
}

u64 FaultHook::failures() const {
  return fault_.kind ? failures_ : failed_allocations();
}

u64 FaultHook::count() const {
  return fault_.kind ? count_ : counted_allocations();
}

Status FaultHook::before(StorageOperation& operation) {
  if (healed_ || operation.kind != fault_.kind) return {};
  const u64 index = count_++;
  if (index < fault_.index || (index > fault_.index && !fault_.for_ever)) return {};
  ++failures_;
  if (operation.kind == Kind::write) {
    const u64 sectors = operation.data.size() / model_sector / 2;
    operation.data = operation.data.first(fault_.partly ? sectors * model_sector : 0);
  }
  return fail_at(operation.offset, fault_.code,
                 fmt::format("injected fault: {} of file {} at {:#x}", name(operation.kind),
                             operation.file, operation.offset));
}

FaultResult inject_faults(const Scenario& scenario, const FaultOptions& options) {
  return FaultSeries(scenario, options).run();
}

}  // namespace vdisk::test
