/// repairs that end half-way. What could be read before can be read in every state, those
/// included that a crash of the second repair leaves, and a rerun leaves what an undisturbed repair
/// leaves.
#include <stdexcept>

#include <fmt/format.h>

#include "crash/scenario.h"
#include "repair/damaged_images.h"

namespace vdisk::test {

namespace {

/// Parts of the states of an ordinary scenario: there are many images, and those of VHDX are large.
constexpr double weight_of_vhd = 0.3;
constexpr double weight_of_vhdx = 0.06;

std::string path_of(const DamagedImage& image) {
  return fmt::format("/disks/disk.{}", image.format->name);
}

/// Findings that somebody has to look at; what leaked may differ.
std::string problems_of(const Format& format, const File& file) {
  std::string text;
  for (const Finding& finding : check_file(format, file).findings) {
    if (finding.severity != Severity::info) text += finding.id + " ";
  }
  return text;
}

std::shared_ptr<File> open_file(const Stage& stage, const std::string& path) {
  auto file = stage.files().open(path, {});
  if (!file) throw std::runtime_error(file.error().message);
  return *std::move(file);
}

std::string problems_left(const DamagedImage& image) {
  std::string text;
  std::string rest = image.left;
  for (std::size_t at = 0; at < rest.size();) {
    const std::size_t end = std::min(rest.find(", ", at), rest.size());
    const std::string finding = rest.substr(at, end - at);
    if (!finding.starts_with("info ")) text += finding.substr(finding.find(' ') + 1) + " ";
    at = end + 2;
  }
  return text;
}

void prepare(Stage& stage, const DamagedImage& image) {
  const std::string path = path_of(image);
  stage.put(path, image.file->content());
  stage.expectation.known_names.insert(path);
  const auto before = std::make_shared<Content>(read_content(*image.format, image.file));
  stage.expectation.rule = [before, path, format = image.format](const Stage& now) {
    const Content after = read_content(*format, open_file(now, path));
    const long long lost = first_lost_byte(*before, after);
    return lost < 0 ? std::string() : fmt::format("what was at {:#x} is not there", lost);
  };
}

Note note_repaired(const DamagedImage& image) {
  return [path = path_of(image), format = image.format,
          left = problems_left(image)](Expectation& expectation) {
    expectation.rule = [path, format, left, kept = expectation.rule](const Stage& now) {
      auto wrong = kept(now);
      const std::string problems = problems_of(*format, *open_file(now, path));
      if (wrong.empty() && problems != left) {
        wrong = fmt::format("{} left, expected '{}'", problems, left);
      }
      return wrong;
    };
    return true;
  };
}

Scenario repair_of(const DamagedImage& image) {
  Scenario scenario;
  scenario.id = "X-26";
  scenario.title = fmt::format("repair {} [{}]", image.format->name, image.name);
  const bool small = *image.file->size() < mib;
  scenario.weight = small ? weight_of_vhd : weight_of_vhdx;
  scenario.prepare = [image](Stage& stage) { prepare(stage, image); };
  scenario.job = [image](Stage& stage) -> Status {
    RepairOptions options;
    options.path = path_of(image);
    options.apply = true;
    options.open = stage.options();
    options.open.format = std::string(image.format->name);
    Progress progress;
    const auto repaired = vdisk::repair(options, progress);
    if (!repaired) return std::unexpected(repaired.error());
    stage.note(note_repaired(image));
    return {};
  };
  scenario.recovery = scenario.job;
  return scenario;
}

}  // namespace

std::vector<Scenario> repair_scenarios() {
  std::vector<Scenario> scenarios;
  for (const DamagedImage& image : damaged_images()) {
    if (image.findings != image.left) scenarios.push_back(repair_of(image));
  }
  return scenarios;
}

}  // namespace vdisk::test
