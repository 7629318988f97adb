// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_futures)

// The code of the guide's chapter on futures written by hand.

namespace {

// [countdown]
class countdown {
public:
    explicit countdown(int from) : left_(from) {}

    rouse::poll_result<std::string> poll(rouse::context& cx) {
        if (left_ == 0) return "lift-off";
        --left_;
        cx.waker().wake_by_ref();  // ask for one more poll
        return rouse::pending;
    }

private:
    int left_;
};
// [/countdown]

BOOST_AUTO_TEST_CASE(a_countdown_by_hand) {
    // [by_hand]
    rouse::waker const nobody;  // an empty waker: its wakes do nothing
    rouse::context cx(nobody);
    countdown future(1);
    BOOST_TEST(future.poll(cx).is_pending());
    BOOST_TEST(future.poll(cx).value() == "lift-off");
    // [/by_hand]
    // [block_on]
    BOOST_TEST(rouse::block_on(countdown(3)) == "lift-off");
    // [/block_on]
}

// [letter_box]
// One letter, from any thread to the one task that waits for it.
class letter_box {
public:
    void put(std::string letter) {
        {
            std::lock_guard lock(mutex_);
            letter_ = std::move(letter);
        }
        reader_.wake();  // after the data is there, and with no lock held
    }

    auto take() {
        return rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<std::string> {
            reader_.register_waker(cx.waker());  // first register, then look
            std::lock_guard lock(mutex_);
            if (!letter_) return rouse::pending;
            return *std::exchange(letter_, std::nullopt);
        });
    }

private:
    std::mutex mutex_;
    std::optional<std::string> letter_;
    rouse::atomic_waker reader_;
};
// [/letter_box]

BOOST_AUTO_TEST_CASE(a_letter_from_another_thread) {
    letter_box box;
    std::thread sender([&] { box.put("dear reader"); });
    BOOST_TEST(rouse::block_on(box.take()) == "dear reader");
    sender.join();
}

// [lending]
// A device that writes into a buffer until it is told to stop.
class device {
public:
    virtual void start(char* buffer, rouse::atomic_waker& done) = 0;
    virtual void stop() = 0;  // asks; `finished` says when it has let go of the buffer
    virtual bool finished() = 0;
    virtual ~device() = default;
};

class device_read {
public:
    explicit device_read(device& d) : device_(&d) {}

    rouse::poll_result<std::string> poll(rouse::context& cx) {
        if (!shared_) {
            shared_ = std::make_unique<shared>();
            device_->start(shared_->buffer, shared_->waker);
        }
        shared_->waker.register_waker(cx.waker());
        if (!device_->finished()) return rouse::pending;
        return std::string(shared_->buffer);
    }

    rouse::cancel_result<std::string> poll_cancel(rouse::context& cx) {
        if (!shared_) return std::nullopt;  // never polled: nothing has begun
        shared_->waker.register_waker(cx.waker());
        device_->stop();
        if (!device_->finished()) return rouse::pending;  // the buffer is still lent
        return std::nullopt;
    }

private:
    struct shared {
        char buffer[16] = {};
        rouse::atomic_waker waker;
    };
    device* device_;
    std::unique_ptr<shared> shared_;  // made by the first poll: nothing starts before it
};
// [/lending]

struct slow_to_stop final : device {
    void start(char* buffer, rouse::atomic_waker& w) override {
        buffer[0] = 'x';
        waker = &w;
    }
    void stop() override { ++stops; }
    bool finished() override { return over; }

    rouse::atomic_waker* waker = nullptr;
    int stops = 0;
    bool over = false;
};

BOOST_AUTO_TEST_CASE(a_device_that_is_read_to_its_end) {
    slow_to_stop d;
    rouse::waker const nobody;
    rouse::context cx(nobody);
    device_read read(d);
    BOOST_TEST(read.poll(cx).is_pending());
    d.over = true;
    BOOST_TEST(read.poll(cx).value() == "x");
}

BOOST_AUTO_TEST_CASE(a_device_that_is_told_to_stop) {
    slow_to_stop d;
    rouse::waker const nobody;
    rouse::context cx(nobody);
    device_read read(d);
    BOOST_TEST(read.poll(cx).is_pending());
    BOOST_TEST(read.poll_cancel(cx).is_pending());
    BOOST_TEST(d.stops == 1);
    d.over = true;
    auto let_go = read.poll_cancel(cx);
    BOOST_TEST(let_go.is_ready());
    BOOST_TEST(!let_go.value().has_value());

    device_read never_polled(d);
    BOOST_TEST(never_polled.poll_cancel(cx).is_ready());
}

BOOST_AUTO_TEST_CASE(futures_in_one_row) {
    // [any_future]
    std::vector<rouse::any_future<std::string>> mixed;
    mixed.push_back(countdown(2));
    mixed.push_back(rouse::ready_future(std::string("here")));
    std::string all;
    for (auto& future : mixed) all += rouse::block_on(future) + ".";
    BOOST_TEST(all == "lift-off.here.");
    // [/any_future]
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
