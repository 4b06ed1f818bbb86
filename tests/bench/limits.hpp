// Whether this machine lets a measurement have what it needs.
#pragma once

#include <cstddef>

/// Raises this process's limit on descriptors as far as it goes. Throws std::runtime_error, with
/// what to do about it, when that is too few.
void require_descriptors(std::size_t servers, std::size_t connections);

/// Throws std::runtime_error, with what to do about it, when there are not enough ports for the
/// connections to one server. Each server has a port of its own, so it holds for each alone.
void require_ports(std::size_t connections);
