"""Wrong passwords lock a user name for a time."""

from uncia.producers.mailroom.login_guard import LoginGuard


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_some_failures_a_name_is_locked_for_a_doubling_time() -> None:
    clock = Clock()
    guard = LoginGuard(clock)
    for _ in range(4):
        guard.failed("1.2.3.4", "north")
    assert not guard.seconds_locked("1.2.3.4", "north")
    locks = []
    for _ in range(10):
        guard.failed("1.2.3.4", "north")
        locks.append(guard.seconds_locked("1.2.3.4", "north"))
    assert locks == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    clock.now += 3600
    assert not guard.seconds_locked("1.2.3.4", "north")


def test_other_cameras_behind_the_same_address_are_not_locked() -> None:
    guard = LoginGuard()
    for _ in range(20):
        guard.failed("1.2.3.4", "north")
    assert guard.seconds_locked("1.2.3.4", "north")
    assert not guard.seconds_locked("1.2.3.4", "south")
    assert not guard.seconds_locked("5.6.7.8", "north")


def test_a_correct_password_forgets_earlier_failures() -> None:
    guard = LoginGuard(Clock())
    for _ in range(4):
        guard.failed("1.2.3.4", "north")
    guard.succeeded("1.2.3.4", "north")
    guard.failed("1.2.3.4", "north")
    assert not guard.seconds_locked("1.2.3.4", "north")


def test_a_flood_of_names_does_not_fill_the_memory() -> None:
    guard = LoginGuard(Clock())
    for number in range(10_050):
        guard.failed("1.2.3.4", str(number))
    assert len(guard._failures) == 10_000
