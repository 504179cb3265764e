/// info: everything a person asks about an image; with --chain, about its ancestors too.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "size.h"
#include "try.h"

namespace vdisk::tool {
namespace {

using Json = nlohmann::ordered_json;

/// One layer and what only the disk knows about it.
struct Layer {
  LayerInfo info;
  BlockCounts blocks;
  std::optional<std::filesystem::path> resolved_parent;
};

class Info : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  std::filesystem::path path_;
  bool chain_ = false;
  bool children_ = false;
  OpenOptions open_;
  OutputOptions output_;
};

void Info::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image");
  arguments.flag("--chain", chain_, "open the parents and show the whole chain, leaf first");
  arguments.flag("--children", children_,
                 "name the images beside it, and in --parent-root, whose parent it is");
  declare_output(arguments, output_, Takes::result);
  declare_open(arguments, open_, {.only_reads = true});
  arguments.example("info disk.vhdx", "one screen about this file; no parent is opened");
  arguments.example("info child.vhdx --chain --json", "the whole chain for a program");
}

Result<std::vector<Layer>> layers_of(const Disk& disk) {
  std::vector<Layer> layers;
  for (std::size_t index = 0; index < disk.depth(); ++index) {
    TOOL_ASSIGN(auto info, disk.layer(index));
    TOOL_ASSIGN(const auto blocks, disk.count_blocks(index));
    if (!layers.empty()) layers.back().resolved_parent = info.path;
    layers.push_back({std::move(info), blocks, {}});
  }
  return layers;
}

template <class T, class Show>
Json or_null(const std::optional<T>& value, Show show) {
  return value ? Json(show(*value)) : Json(nullptr);
}

Json parent_document(const Layer& layer) {
  const auto& parent = layer.info.image.parent;
  if (!parent) return nullptr;
  auto paths = Json::array();
  for (const auto& path : parent->paths)
    paths.push_back({{"kind", path.kind}, {"path", path.path}});
  Json id = nullptr;
  if (!parent->accepted_ids.empty()) id = to_string(parent->accepted_ids.front());
  return {{"id", id},
          {"paths", paths},
          {"raw", parent->parent_is_raw},
          {"resolved", or_null(layer.resolved_parent, text_of)}};
}

Json geometry_document(const Chs& chs) {
  return {{"cylinders", chs.cylinders}, {"heads", chs.heads}, {"sectors", chs.sectors}};
}

Json layer_document(const Layer& layer) {
  const auto& image = layer.info.image;
  auto warnings = Json::array();
  for (const auto& warning : image.warnings)
    warnings.push_back({{"id", warning.id}, {"message", warning.message}});
  const auto guid_text = [](const Guid& id) { return to_string(id); };
  return {{"path", text_of(layer.info.path)},
          {"format", image.format},
          {"type", name(image.type)},
          {"virtual_size", image.geometry.virtual_size},
          {"file_size", layer.info.file_size},
          {"allocated_size", layer.info.allocated_size},
          {"block_size", image.geometry.block_size},
          {"blocks_allocated", layer.blocks.allocated},
          {"blocks_total", layer.blocks.total},
          {"logical_sector_size", image.geometry.logical_sector_size},
          {"physical_sector_size", image.geometry.physical_sector_size},
          {"id", image.format == "raw" ? Json(nullptr) : Json(to_string(image.id))},
          {"data_write_id", or_null(image.data_write_id, guid_text)},
          {"creator", image.creator},
          {"created", or_null(image.created, iso_time)},
          {"dirty", layer.info.dirty},
          {"parent", parent_document(layer)},
          {"geometry", or_null(image.chs, geometry_document)},
          {"warnings", warnings}};
}

using Children = std::optional<std::vector<std::filesystem::path>>;

void print_document(const std::vector<Layer>& layers, bool chain, const Children& children) {
  auto document = layer_document(layers.front());
  if (chain) {
    document["chain"] = Json::array();
    for (const auto& layer : layers) document["chain"].push_back(layer_document(layer));
  }
  if (children) {
    document["children"] = Json::array();
    for (const auto& path : *children) document["children"].push_back(text_of(path));
  }
  print_json(document);
}

void print_row(std::string_view key, std::string_view value) {
  constexpr int key_width = 16;
  print_line(fmt::format("{:<{}}{}", fmt::format("{}:", key), key_width, value));
}

void print_parent(const Layer& layer) {
  const auto& parent = layer.info.image.parent;
  if (!parent) return;
  if (parent->parent_is_raw) {
    print_row("parent", "a raw disk, opened only when --parent names it");
  } else {
    for (const auto& id : parent->accepted_ids) print_row("parent id", to_string(id));
  }
  for (const auto& path : parent->paths)
    print_row("parent path", fmt::format("{} ({})", escaped(path.path), escaped(path.kind)));
  if (layer.resolved_parent) print_row("parent found", escaped(text_of(*layer.resolved_parent)));
}

void print_blocks(const Layer& layer) {
  const u32 block_size = layer.info.image.geometry.block_size;
  if (block_size == 0) return;
  print_row("blocks", fmt::format("{} of {} allocated, {} each", layer.blocks.allocated,
                                  layer.blocks.total, short_size(block_size)));
}

void print_identity(const ImageInfo& image) {
  if (!image.id.is_zero()) print_row("id", to_string(image.id));
  if (image.data_write_id) print_row("data write id", to_string(*image.data_write_id));
  if (!image.creator.empty()) print_row("creator", escaped(image.creator));
  if (image.created) print_row("created", iso_time(*image.created));
  if (image.chs) {
    print_row("geometry", fmt::format("{} cylinders, {} heads, {} sectors", image.chs->cylinders,
                                      image.chs->heads, image.chs->sectors));
  }
}

void print_layer(const Layer& layer) {
  const auto& image = layer.info.image;
  print_row("path", escaped(text_of(layer.info.path)));
  print_row("format", kind_of(image.format, image.type));
  print_row("virtual size", full_size(image.geometry.virtual_size));
  print_row("file size", fmt::format("{}, {} on disk", full_size(layer.info.file_size),
                                     short_size(layer.info.allocated_size)));
  print_blocks(layer);
  print_row("sector size",
            fmt::format("{} logical, {} physical", image.geometry.logical_sector_size,
                        image.geometry.physical_sector_size));
  print_identity(image);
  if (layer.info.dirty) print_row("log", "dirty: the image was not closed cleanly");
  if (image.saved_state) print_row("saved state", "yes");
  print_parent(layer);
  for (const auto& warning : image.warnings)
    print_row("warning", fmt::format("{} ({})", escaped(warning.message), escaped(warning.id)));
}

Result<Exit> Info::run() {
  if (!chain_) {
    open_.parents = ParentPolicy::none;
    open_.parent.reset();
  }
  TOOL_ASSIGN(const auto disk, Disk::open(path_, open_));
  TOOL_ASSIGN(const auto layers, layers_of(disk));
  Children children;
  if (children_) {
    TOOL_ASSIGN(children, children_of(path_, open_));
  }
  if (output_.json) {
    print_document(layers, chain_, children);
    return Exit::success;
  }
  for (const auto& layer : layers) {
    if (&layer != &layers.front()) print("\n");
    print_layer(layer);
  }
  if (!children) return Exit::success;
  for (const auto& path : *children) print_row("child", escaped(text_of(path)));
  if (children->empty()) print_row("child", "none found");
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_info() {
  return std::make_unique<Info>();
}

}  // namespace vdisk::tool
