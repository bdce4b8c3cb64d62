#pragma once
// Counts what this program asks of the allocator, all threads together: malloc and its kin, and so operator new.

namespace wam::test {

/// Whether this build counts: with glibc and without a sanitizer, which has an allocator of its own.
bool counts_allocations();
long allocations();

}  // namespace wam::test
