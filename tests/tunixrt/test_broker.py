"""The embedded broker: messages arrive whole, once, in order, and a broken file harms nobody."""

import threading

import pytest
from kombu import Connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all tests: kombu remembers for the whole process which queues it has declared."""
    folder = tmp_path_factory.mktemp("broker") / "messages"
    folder.mkdir()
    return folder


@pytest.fixture
def connect(folder):
    control = str(folder.parent / "control")
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": control}
    return lambda: Connection("filesystem://", transport="tunixrt.lib.broker:Transport", transport_options=options)


def drain(connect) -> list:
    with connect() as connection:
        queue, got = connection.SimpleQueue("short"), []
        while queue.qsize():
            try:
                message = queue.get(block=False)
            except queue.Empty:
                break
            got.append(message.payload)
            message.ack()
        return got


def test_messages_arrive_in_order(connect):
    with connect() as connection:
        for number in range(20):
            connection.SimpleQueue("short").put(number)
    assert drain(connect) == list(range(20))


def test_a_broken_file_is_dropped_and_the_next_message_read(connect, folder):
    (folder / "00000000000000000001_x.short.msg").write_text('{"half')
    with connect() as connection:
        connection.SimpleQueue("short").put("whole")
    assert drain(connect) == ["whole"]
    assert not list(folder.iterdir())


def test_several_readers_share_the_messages_without_a_double(connect):
    with connect() as connection:
        for number in range(100):
            connection.SimpleQueue("short").put(number)
    taken: list = []
    readers = [threading.Thread(target=lambda: taken.extend(drain(connect))) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sorted(taken) == list(range(100))
