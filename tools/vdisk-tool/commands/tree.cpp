/// tree: which images of a directory belong together, and whose parent is not where it should be.
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"
#include "size.h"
#include "vdisk/chains.h"

namespace vdisk::tool {
namespace {

using Json = nlohmann::ordered_json;

class Tree : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  TreeOptions options_;
  OutputOptions output_;
  bool flat_ = false;
};

void Tree::declare(Arguments& arguments) {
  arguments.positional("DIR", options_.directory, "the directory whose images are looked at");
  arguments.flag("--no-recurse", flat_, "leave the directories in it alone");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.explicit_parent = false, .only_reads = true, .format = false});
  arguments.example("tree disks", "every chain, and every child without its parent");
  arguments.example("tree disks --json", "for a program: states, candidates, places tried");
}

/// Draws the images as a forest: each one below its parent.
class Drawing {
 public:
  explicit Drawing(const ImageTree& tree, const std::filesystem::path& directory)
      : tree_(tree), children_(tree.images.size()) {
    std::error_code code;
    directory_ = std::filesystem::absolute(directory, code).lexically_normal();
    for (std::size_t index = 0; index < tree.images.size(); ++index) {
      if (is_below_parent(index)) children_[*tree.images[index].parent].push_back(index);
    }
  }

  void print() const {
    for (std::size_t index = 0; index < tree_.images.size(); ++index) {
      if (!is_below_parent(index)) print_image(index, "", "", 0);
    }
  }

 private:
  /// A drawing deeper than this is a cycle that was not marked as one.
  static constexpr std::size_t deepest = 300;

  [[nodiscard]] bool is_below_parent(std::size_t index) const {
    const auto& image = tree_.images[index];
    return image.parent && image.parent_state != ParentState::cyclic;
  }

  void print_image(std::size_t index, const std::string& first, const std::string& rest,
                   std::size_t depth) const {
    print_line(fmt::format("{}{}", first, describe(tree_.images[index])));
    if (depth >= deepest) return;
    const auto& children = children_[index];
    for (std::size_t at = 0; at < children.size(); ++at) {
      const bool last = at + 1 == children.size();
      print_image(children[at], rest + (last ? "`-- " : "|-- "), rest + (last ? "    " : "|   "),
                  depth + 1);
    }
  }

  [[nodiscard]] std::string short_name(const std::filesystem::path& path) const {
    const auto relative = path.lexically_relative(directory_);
    const bool inside = !relative.empty() && *relative.begin() != "..";
    return escaped(text_of(inside ? relative : path));
  }

  [[nodiscard]] std::string names(const std::vector<std::filesystem::path>& paths) const {
    std::string list;
    for (const auto& path : paths) list += (list.empty() ? "" : ", ") + short_name(path);
    return list;
  }

  [[nodiscard]] std::string describe(const TreeImage& image) const {
    const auto path = short_name(image.path);
    if (image.fault) return fmt::format("{}: {}", path, escaped(describe_fault(image)));
    auto text =
        fmt::format("{}  {}, {}{}", path, kind_of(image.info.format, image.info.type),
                    short_size(image.info.geometry.virtual_size), image.dirty ? ", dirty log" : "");
    return text + describe_parent(image);
  }

  static std::string describe_fault(const TreeImage& image) {
    const auto prefix = image.path.string() + ": ";
    const auto& message = image.fault->message;
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  [[nodiscard]] std::string describe_parent(const TreeImage& image) const {
    switch (image.parent_state) {
      case ParentState::none:
      case ParentState::found: return {};
      case ParentState::outside:
        return fmt::format("; opens only with --parent-root {}",
                           escaped(text_of(tree_.images[*image.parent].path.parent_path())));
      case ParentState::moved: return "; parent moved: relink finds it";
      case ParentState::ambiguous:
        return fmt::format("; parent ambiguous: {}", names(image.candidates));
      case ParentState::different:
        return fmt::format("; parent is another disk now: {}", names(image.candidates));
      case ParentState::missing: return describe_missing(image);
      case ParentState::cyclic: return "; its own ancestor";
      case ParentState::raw: return "; parent is a raw disk: opens only with --parent";
    }
    return {};
  }

  [[nodiscard]] std::string describe_missing(const TreeImage& image) const {
    std::vector<std::filesystem::path> closed;
    for (const auto& path : image.tried) {
      std::error_code code;
      if (std::filesystem::exists(path, code) && !std::ifstream(path)) closed.push_back(path);
    }
    if (!closed.empty()) return fmt::format("; parent may not be opened: {}", names(closed));
    return fmt::format("; parent missing, tried {}",
                       image.tried.empty() ? "nothing: no path is stored" : names(image.tried));
  }

  const ImageTree& tree_;
  std::filesystem::path directory_;
  std::vector<std::vector<std::size_t>> children_;
};

Json path_list(const std::vector<std::filesystem::path>& paths) {
  auto list = Json::array();
  for (const auto& path : paths) list.push_back(text_of(path));
  return list;
}

Json parent_document(const ImageTree& tree, const TreeImage& image) {
  if (image.parent_state == ParentState::none) return nullptr;
  auto ids = Json::array();
  if (image.info.parent) {
    for (const Guid& id : image.info.parent->accepted_ids) ids.push_back(to_string(id));
  }
  return {{"state", name(image.parent_state)},
          {"path", image.parent ? Json(text_of(tree.images[*image.parent].path)) : Json(nullptr)},
          {"ids", ids},
          {"candidates", path_list(image.candidates)},
          {"tried", path_list(image.tried)}};
}

Json image_document(const ImageTree& tree, std::size_t index) {
  const auto& image = tree.images[index];
  if (image.fault) {
    return {{"path", text_of(image.path)},
            {"fault", {{"code", name(image.fault->code)}, {"message", image.fault->message}}}};
  }
  auto children = Json::array();
  for (const auto& other : tree.images) {
    if (other.parent == index) children.push_back(text_of(other.path));
  }
  return {{"path", text_of(image.path)},
          {"format", image.info.format},
          {"type", name(image.info.type)},
          {"virtual_size", image.info.geometry.virtual_size},
          {"file_size", image.file_size},
          {"id", to_string(image.info.id)},
          {"content_id", to_string(image.content_id)},
          {"dirty", image.dirty},
          {"parent", parent_document(tree, image)},
          {"children", children},
          {"fault", nullptr}};
}

Result<Exit> Tree::run() {
  options_.recursive = !flat_;
  TOOL_ASSIGN(
      const auto tree,
      run_job<ImageTree>(
          "tree", output_, [this](Progress& progress) { return image_tree(options_, progress); },
          Unit::steps));
  if (output_.json) {
    auto images = Json::array();
    for (std::size_t index = 0; index < tree.images.size(); ++index)
      images.push_back(image_document(tree, index));
    print_json({{"directory", text_of(options_.directory)}, {"images", images}});
    return Exit::success;
  }
  if (output_.quiet) return Exit::success;
  if (tree.images.empty()) print_line("no images found");
  Drawing(tree, options_.directory).print();
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_tree() {
  return std::make_unique<Tree>();
}

}  // namespace vdisk::tool
