#include "formats/last_places.h"

#include <algorithm>
#include <functional>

namespace vdisk {

void LastPlaces::offer(NamedPlace place) {
  if (places_.size() < capacity_) {
    places_.push_back(place);
    std::ranges::push_heap(places_, std::greater<>());
    return;
  }
  has_more_ = true;
  if (place < places_.front()) return;
  std::ranges::pop_heap(places_, std::greater<>());
  places_.back() = place;
  std::ranges::push_heap(places_, std::greater<>());
}

std::optional<NamedPlace> LastPlaces::take() {
  if (!sorted_) std::ranges::sort(places_);
  sorted_ = true;
  if (places_.empty()) return std::nullopt;
  const NamedPlace last = places_.back();
  places_.pop_back();
  return last;
}

}  // namespace vdisk
