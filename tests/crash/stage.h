/// The stage of a scenario: files in memory, what is expected of them, and a record of what
/// happens.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "crash/guest_model.h"
#include "support/recording.h"
#include "vdisk/disk.h"
#include "vdisk/operations.h"

namespace vdisk::test {

/// A disk as somebody sees who opens this name.
struct View {
  GuestModel model;
  bool may_be_absent = false;  ///< the name is not promised (yet, or any more)
};

class Stage;

struct Expectation {
  std::map<std::string, View> views;
  std::map<std::string, PagedContent> untouched;  ///< files of which no byte may change
  /// What else must hold; a violation, or empty.
  std::function<std::string(const Stage&)> rule = {};
  std::set<std::string> known_names = {};  ///< that only the rule judges
};

/// Changes an expectation. True: less is allowed than before.
using Note = std::function<bool(Expectation&)>;

/// Something that a guest does to its disk.
struct Step {
  enum class Kind { write, zero, discard, flush, grow, reopen, close };
  Kind kind = Kind::write;
  u64 offset = 0;  ///< grow: the new size
  u64 length = 0;
};
[[nodiscard]] std::string describe(const Step& step);

class Stage {
 public:
  explicit Stage(FileTree tree = {});
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] PagedFileSystem& files() const { return *files_; }
  [[nodiscard]] OpenOptions options(Access access = Access::read_only) const;
  /// What holds now.
  Expectation expectation;

  /// From here on what happens is recorded, and notes take effect where they stand in the record.
  void begin_recording();
  /// Crashes are of interest from here on.
  void examine_from_here();
  /// Ends it. Nothing is open any more.
  [[nodiscard]] Recording take_recording();
  [[nodiscard]] const std::vector<Note>& notes() const { return notes_; }
  /// Tells what the present instant changes about the expectation.
  void note(Note note);

  // Files that are there from the start. `name` without a folder; the extension is the format's.
  std::string create(const std::string& name, u64 size, Target target = {});
  std::string snapshot(const std::string& parent, const std::string& name, Target target = {});
  void put(const std::string& path, std::span<const std::byte> content);
  /// Expects the disk at `path` to hold zeros, or what the view of `parent` holds.
  GuestModel& expect_view(const std::string& path, const std::string& parent = {});
  /// No byte of the file may change.
  void expect_untouched(const std::string& path);

 private:
  std::shared_ptr<PagedFileSystem> files_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<Note> notes_;
};

/// A guest with one open disk, whose steps are noted.
class Guest {
 public:
  Guest(Stage& stage, std::string path) : stage_(stage), path_(std::move(path)) {}

  /// Opens the disk first where needed.
  Status perform(const Step& step);
  [[nodiscard]] Disk* disk() { return disk_ ? &*disk_ : nullptr; }
  /// Like a process that dies.
  void drop() { disk_.reset(); }
  /// Values from here on are larger than this one.
  void start_values_at(u32 value) { value_ = value; }

 private:
  Status open();
  Status close();
  Status write(const Step& step);
  Status zero(const Step& step);
  Status discard(const Step& step);
  Status grow(u64 size);
  Status note_what_is_there(const Step& step);
  void note_issue(u64 offset, u64 length, u32 value);
  void note_settled();

  Stage& stage_;
  std::string path_;
  std::optional<Disk> disk_;
  u32 value_ = 0;
};

}  // namespace vdisk::test
