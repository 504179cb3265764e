/// metadata: items that live in a VHDX beside the disk's data, and the id of a VHD or VHDX.
#include "vdisk/metadata.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"
#include "size.h"
#include "streams.h"

namespace vdisk::tool {
namespace {

using Json = nlohmann::ordered_json;

class Metadata : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Arguments::Accept accept_id(std::optional<Guid>& id);
  Result<std::vector<std::byte>> content() const;
  Result<Exit> list();
  Result<Exit> get();
  Result<Exit> change();

  MetadataChange change_;
  std::optional<Guid> get_, set_;
  bool system_ = false;
  bool virtual_disk_ = false;
  std::optional<std::string> value_;
  std::optional<std::filesystem::path> input_;
  OutputOptions output_;
};

Arguments::Accept Metadata::accept_id(std::optional<Guid>& id) {
  return [&id](const std::string& word) -> Status {
    id = parse_guid(word);
    if (id) return {};
    return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a UUID", word));
  };
}

void Metadata::declare(Arguments& arguments) {
  arguments.positional("PATH", change_.path, "the image; without an option its items are listed");
  arguments.option("--get", "UUID", accept_id(get_),
                   "write the content of this user item to the standard output");
  arguments.flag("--system", system_, "--get: the item of the format with this id");
  arguments.option("--set", "UUID", accept_id(set_), "add or replace this user item");
  arguments.path("--input", input_,
                 "--set: take the content from a file (default: standard input)");
  arguments.text("--value", "TEXT", value_, "--set: this text is the content");
  arguments.flag("--virtual-disk", virtual_disk_,
                 "--set: it describes the disk, not the file: what the guest can see changes");
  arguments.repeatable(
      "--remove", "UUID",
      [this](const std::string& word) -> Status {
        const auto id = parse_guid(word);
        if (!id) return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a UUID", word));
        change_.remove.push_back(*id);
        return {};
      },
      "remove this user item");
  arguments.option("--disk-id", "UUID", accept_id(change_.description.disk_id),
                   "VHDX: the id that the guest sees (SCSI page 83); VHD: the UniqueId");
  arguments.size("--physical-sector", change_.description.physical_sector_size,
                 "sector size that the guest is told to align to: 512 or 4096");
  arguments.flag("--force-children", change_.force_children,
                 "change what the guest sees although the image has children: they become invalid");
  declare_output(arguments, output_, Takes::result);
  declare_open(arguments, change_.open, {.parents = false});
  arguments.example("metadata disk.vhdx", "all items, those of the format included");
  arguments.example("metadata disk.vhdx --set 6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2 --value note",
                    "a note of your own, kept by every program that keeps to the format");
  arguments.example("metadata copy.vhd --disk-id 0b8f9a3e-7d2c-4a56-9d7e-2c1f5e8b6a90",
                    "a copied image gets an id of its own");
  arguments.example("metadata disk.vhdx --get 6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2",
                    "its content, byte for byte");
}

Result<Exit> Metadata::list() {
  TOOL_ASSIGN(const auto items, list_metadata(change_.path, change_.open));
  if (output_.json) {
    auto list = Json::array();
    for (const auto& item : items) {
      list.push_back({{"id", to_string(item.id)},
                      {"user", item.is_user},
                      {"virtual_disk", item.is_virtual_disk},
                      {"required", item.is_required},
                      {"length", item.length},
                      {"offset", item.file_offset}});
    }
    print_json({{"path", text_of(change_.path)}, {"items", list}});
    return Exit::success;
  }
  print_line(fmt::format("{:<38}{:<8}{:<10}{:<12}{}", "id", "kind", "length", "offset", "flags"));
  for (const auto& item : items) {
    print_line(fmt::format(
        "{:<38}{:<8}{:<10}{:<12}{}{}", to_string(item.id), item.is_user ? "user" : "system",
        item.length, fmt::format("{:#x}", item.file_offset),
        item.is_virtual_disk ? "virtual-disk " : "", item.is_required ? "required" : ""));
  }
  return Exit::success;
}

Result<Exit> Metadata::get() {
  if (output_.json) return usage_error("--get writes bytes, --json has no place for them");
  TOOL_ASSIGN(const auto bytes,
              get_metadata(change_.path, {.id = *get_, .is_user = !system_}, change_.open));
  TOOL_TRY(write_standard_output(bytes));
  return Exit::success;
}

/// One byte more than fits is enough to be refused.
Result<std::vector<std::byte>> Metadata::content() const {
  if (value_) {
    const auto bytes = std::as_bytes(std::span(*value_));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  TOOL_ASSIGN(auto input, InputStream::open(input_));
  std::vector<std::byte> bytes(max_metadata_item_length + 1);
  TOOL_ASSIGN(const auto count, input.read(bytes));
  bytes.resize(count);
  return bytes;
}

Result<Exit> Metadata::change() {
  if (set_) {
    TOOL_ASSIGN(auto bytes, content());
    change_.set.push_back(
        {.id = *set_, .content = std::move(bytes), .is_virtual_disk = virtual_disk_});
  }
  TOOL_ASSIGN(const auto changed,
              run_job<ChangedMetadata>(
                  "metadata", output_, [this](Progress& p) { return change_metadata(change_, p); },
                  Unit::steps));
  if (output_.json) {
    print_json({{"path", text_of(change_.path)},
                {"set_items", changed.set_items},
                {"removed_items", changed.removed_items}});
  } else {
    print_result(output_,
                 fmt::format("changed {}: {} set, {} removed{}", escaped(text_of(change_.path)),
                             changed.set_items, changed.removed_items,
                             change_.description.empty() ? "" : "; description changed"));
  }
  return Exit::success;
}

Result<Exit> Metadata::run() {
  const bool changes = set_ || !change_.remove.empty() || !change_.description.empty();
  if (get_ && changes) return usage_error("--get and changes exclude each other");
  if (value_ && input_) return usage_error("--value and --input exclude each other");
  if (!set_ && (value_ || input_ || virtual_disk_))
    return usage_error("--value, --input and --virtual-disk go with --set");
  if (system_ && !get_) return usage_error("--system goes with --get");
  if (get_) return get();
  return changes ? change() : list();
}

}  // namespace

std::unique_ptr<Command> make_metadata() {
  return std::make_unique<Metadata>();
}

}  // namespace vdisk::tool
