"""What `faust_runtime` relies on inside Faust and aiokafka: these tests fail when an upgrade changes it.

The workarounds were written for the versions below. After an upgrade, read the modules named in a failing test, adapt
them, and only then change the versions here.
"""

import inspect
from importlib.metadata import version

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.producer import AIOKafkaProducer
from faust.events import Event
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Producer
from faust.transport.drivers.aiokafka import Consumer as DriverConsumer
from mode.utils.queues import FlowControlEvent

from uncia.processors.faust_runtime.consumer import RewindingConsumer, start_positions
from uncia.processors.faust_runtime.lease import Lease
from uncia.processors.faust_runtime.recovery import LatchedRecovery


@pytest.mark.parametrize(
    ("distribution", "written_for"),
    [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0")],
)
def test_the_workarounds_are_used_with_the_versions_that_they_were_written_for(
    distribution: str, written_for: str
) -> None:
    assert version(distribution) == written_for


def test_the_consumer_stores_the_committed_offsets_of_an_assignment() -> None:
    """`consumer.start_positions` and `RewindingConsumer` read `_committed_offset`."""
    assert "self._committed_offset.update(committed_offsets)" in inspect.getsource(Consumer.perform_seek)
    assert "_committed_offset" in inspect.getsource(start_positions)


def test_the_consumer_seeks_in_a_method_that_a_subclass_can_extend() -> None:
    assert inspect.iscoroutinefunction(Consumer.perform_seek)
    assert RewindingConsumer.perform_seek is not Consumer.perform_seek
    assert callable(Consumer._get_active_partitions)


def test_the_search_of_the_coordinator_fails_an_assertion_without_brokers_and_repeats_errors_that_are_retriable() -> (
    None
):
    """`consumer.repeat_coordinator_lookup` replaces the method on the client of the worker's consumer."""
    assert "assert node_id is not None" in inspect.getsource(AIOKafkaClient.coordinator_lookup)
    assert "self._client.coordinator_lookup(" in inspect.getsource(GroupCoordinator.ensure_coordinator_known)
    assert "if err.retriable" in inspect.getsource(GroupCoordinator.ensure_coordinator_known)
    assert "self._client = " in inspect.getsource(AIOKafkaConsumer)
    assert RewindingConsumer._new_consumer_thread is not DriverConsumer._new_consumer_thread


def test_an_event_is_acknowledged_through_a_method_that_a_subclass_can_refuse() -> None:
    """`app._Event.ack`; Faust itself calls it for events that it skips during a rebalance."""
    assert list(inspect.signature(Event.ack).parameters) == ["self"]
    assert not inspect.iscoroutinefunction(Event.ack)


def test_heartbeats_and_requests_pass_through_the_methods_that_the_lease_wraps() -> None:
    """`lease.Lease.guard` replaces them on the instances of the worker's consumer and producer."""
    assert callable(AIOKafkaConsumerThread._ensure_consumer)
    assert callable(Producer._ensure_producer)
    assert "self._coordinator" in inspect.getsource(
        AIOKafkaConsumerThread._ensure_consumer.__globals__["aiokafka"].AIOKafkaConsumer
    )
    assert list(inspect.signature(GroupCoordinator._do_heartbeat).parameters) == ["self"]
    assert "self._do_heartbeat()" in inspect.getsource(GroupCoordinator._heartbeat_routine)
    assert "self.client" in inspect.getsource(AIOKafkaProducer)
    assert list(inspect.signature(AIOKafkaClient.send).parameters)[:3] == ["self", "node_id", "request"]
    assert callable(Lease.guard)


def test_the_recovery_of_tables_clears_its_end_before_it_is_waited_for() -> None:
    """`recovery.LatchedRecovery`: without this fault it is not needed."""
    reading, restoring = inspect.getsource(Recovery).split("async def _slurp_changelogs")[::-1]
    assert "self.signal_recovery_end.clear()" in reading
    assert "self.signal_recovery_end.set()" in reading
    assert "self.signal_recovery_end.wait()" in restoring
    assert restoring.count("self._set_recovery_started()") == 2
    assert LatchedRecovery._set_recovery_started is not Recovery._set_recovery_started


def test_the_recovery_of_tables_reads_changelogs_in_a_task_that_a_subclass_replaces() -> None:
    """`recovery.LatchedRecovery` has no part for transactions, which no worker uses."""
    assert list(LatchedRecovery._tasks[LatchedRecovery._get_class_id()]).count("_slurp_changelogs") == 1
    reading = inspect.getsource(Recovery).split("async def _slurp_changelogs")[-1]
    assert "self.app.in_transaction" in reading
    assert "asyncio.wait_for(" in reading


def test_the_consumer_waits_for_each_message_and_ignores_what_the_waiting_returns() -> None:
    """`consumer.RewindingConsumer.wait_first`."""
    draining = inspect.getsource(Consumer._drain_messages)
    assert draining.count("wait_first(") == 1
    assert "                            await self.wait_first(" in draining
    assert "callback(message), self.suspend_flow.wait()" in draining


def test_the_fetcher_waits_for_new_messages_as_long_as_an_attribute_says() -> None:
    """`consumer.fetch_promptly`."""
    requesting = inspect.getsource(Fetcher._get_actions_per_node)
    assert "self._fetch_max_wait_ms" in requesting
    assert "tp in self._records" in requesting
    assert "self._get_actions_per_node(" in inspect.getsource(Fetcher)


def test_flow_control_empties_all_buffers_whenever_it_resumes() -> None:
    """`flow_control.FlowControl`: without this fault it is not needed."""
    assert "self.clear()" in inspect.getsource(FlowControlEvent.resume)
    completed = inspect.getsource(Recovery.on_recovery_completed)
    assert 0 < completed.index("perform_seek()") < completed.index("flow_control.resume()")
