// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// ThreadSanitizer and exceptions that change threads.
//
// An exception object is counted inside libstdc++.so, by atomics which ThreadSanitizer does not
// see: the last owner's destruction then looks like a race with an earlier owner's reads. Here
// every release of a reference becomes a synchronisation that ThreadSanitizer does see. It orders
// these releases and nothing else: a race beside one is still reported (test/tsan/planted_race.cpp).
// Without ThreadSanitizer this file is empty.

#if defined(__SANITIZE_THREAD__)
#define ROUSE_TEST_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ROUSE_TEST_TSAN
#endif
#endif

#ifdef ROUSE_TEST_TSAN

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

char released;

void synchronise() {
    __tsan_release(&released);
    __tsan_acquire(&released);
}

template <class Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

} // namespace

// The end of a catch block.
extern "C" void __cxa_end_catch() {
    static const auto real = next<void (*)()>("__cxa_end_catch");
    synchronise();
    real();
}

// std::exception_ptr's own release.
extern "C" void _ZNSt15__exception_ptr13exception_ptr10_M_releaseEv(void* self) noexcept {
    static const auto real =
        next<void (*)(void*)>("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");
    synchronise();
    real(self);
}

#endif
