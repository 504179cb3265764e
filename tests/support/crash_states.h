/// The states that a power failure can leave at every instant of a recording (HOSTILE section 7).
///
/// Of the changes of a file since its last flush any subset persists, each of them whole or torn:
/// payload at 512 bytes, metadata at 64, zeroed ranges at pages. The size is the durable one or any
/// later one, whatever became of the bytes; the names are those of the last directory sync or of
/// any later instant.
#pragma once

#include <functional>
#include <optional>
#include <random>

#include "support/recording.h"

namespace vdisk::test {

/// How much is tried at each operation. Nothing that persists without the newest change is made
/// again: the operation before had it.
struct CrashLimits {
  std::size_t states_per_point = 40;
  /// So many volatile changes at most: all subsets are candidates. Above: all but one, only one,
  /// pairs with the newest, and `random_subsets`.
  std::size_t all_subsets_of = 10;
  std::size_t random_subsets = 256;
};

/// What persisted, to be told with a violation.
struct CrashRecipe {
  enum class Fate : u8 { lost, whole, torn };
  enum class Sizes : u8 { durable, newest, any };
  std::vector<Fate> fates;  ///< of the volatile changes, oldest first
  Sizes sizes = Sizes::newest;
  std::size_t names = 0;        ///< changes of names that persisted since the last sync
  u64 seed = 0;                 ///< of tears and of Sizes::any
  std::optional<u64> cut = {};  ///< the newest change persists in part: up to this unit ...
  bool keeps_end = false;       ///< ... or from it on

  [[nodiscard]] std::string describe() const;
};

struct CrashState {
  FileTree tree;
  std::size_t operation = 0;  ///< index of the operation that was issued last
  const CrashRecipe* recipe = nullptr;
};

/// Walks through a recording. Threads: one.
class CrashStates {
 public:
  using OnState = std::function<void(CrashState&&)>;
  /// Called at every mark; true: something may not be lost any more, so that all states of this
  /// instant must be looked at again.
  using OnMark = std::function<bool(u64 number)>;

  CrashStates(const Recording& recording, const CrashLimits& limits, u64 seed);
  void walk(const OnMark& on_mark, const OnState& on_state);
  /// Operations at which states were made.
  [[nodiscard]] std::size_t points() const { return points_; }

 private:
  struct FileHistory {
    PagedContent durable;
    std::vector<u64> sizes;  ///< the durable one first
  };
  struct Volatile {
    const Recorded* change;
    std::size_t size_index;  ///< of its effect on the size: index into FileHistory::sizes
  };
  using Names = std::map<std::string, u64>;

  void apply(const Recorded& recorded);
  void add_change(const Recorded& recorded);
  void flush(u64 file);
  void change_names(const StorageOperation& operation);
  [[nodiscard]] bool sizes_differ() const;

  void make_states(bool newest_only, const OnState& on_state);
  [[nodiscard]] std::vector<CrashRecipe> core_recipes(bool newest_only);
  void add_subsets(std::vector<CrashRecipe>& recipes, bool newest_only);
  void add_torn(std::vector<CrashRecipe>& recipes, bool newest_only);
  void add_cuts(std::vector<CrashRecipe>& recipes);
  void keep_a_sample(std::vector<CrashRecipe>& recipes, std::size_t always);
  [[nodiscard]] FileTree build(const CrashRecipe& recipe) const;
  static void apply_torn(PagedContent& content, const Recorded& change,
                         const std::function<bool(u64 unit)>& keeps);
  static void apply_piece(PagedContent& content, const Recorded& change, u64 begin, u64 end);

  const Recording& recording_;
  CrashLimits limits_;
  std::mt19937_64 random_;
  std::map<u64, FileHistory> files_;
  std::vector<Volatile> volatile_;
  std::vector<Names> names_;  ///< the durable ones first
  std::size_t operation_ = 0;
  std::size_t points_ = 0;
};

/// Payload that the tests write carries this at the start of each sector, so that it can be told
/// from metadata.
inline constexpr u32 payload_mark = 0x6F6C7961;

}  // namespace vdisk::test
