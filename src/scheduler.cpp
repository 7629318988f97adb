// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#include <rouse/scheduler.hpp>

namespace rouse {

void scheduler::unhandled_exception(std::exception_ptr error, std::source_location where) noexcept {
    report_unhandled(std::move(error), where);
}

}  // namespace rouse
