# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Bags as people's robots record them: what others choke on is read, or said in one line."""

import os
from pathlib import Path
import shutil
import sqlite3
import subprocess

from bag_recording import AUDIO, DEPTH, INFO, ODOM, Recording, S, standing, TYPES
import numpy as np
import pytest
from typer.testing import CliRunner
import yaml

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.labeled_set import LabeledSet, read_assignment
from quiet_nav.recordings.labeling import LabelSettings
from quiet_nav.recordings.playback import events, Sound

COLOR = '/camera/camera/color/image_raw'
TYPES.setdefault(COLOR, 'sensor_msgs/msg/Image')


def full(seconds=8.0):
    made = Recording().info(channels=1).sound(seconds, channels=1)
    return made.odometry(standing, seconds).depth(lambda t: 0.4, seconds)


def metadata(path, change):
    """Change what metadata.yaml of a bag says."""
    file = path / 'metadata.yaml'
    content = yaml.safe_load(file.read_text())
    change(content['rosbag2_bagfile_information'])
    file.write_text(yaml.safe_dump(content))
    return path


def everything(path):
    """All messages by topic, and the bag's notes."""
    with Bag(path) as bag:
        counts = {}
        for topic, _, _ in bag.messages(list(bag.topics)):
            counts[topic] = counts.get(topic, 0) + 1
        return counts, bag.notes


def labeled(path, out, *options):
    arguments = ['label', str(path), '--out', str(out), '--room', 'k', '--split', 'train', *options]
    return CliRunner().invoke(build_app(), arguments)


def said(result):
    """Return what a command printed, without the lines and breaks of its table."""
    return ' '.join(result.output.replace('│', ' ').split())


WHOLE = {AUDIO: 80, INFO: 1, ODOM: 161, DEPTH: 48}


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('said', ['', [], '- history: 3\n  depth: 0', [{'history': 'new'}]])
def test_messages_are_read_whatever_metadata_says_of_qos(tmp_path, storage, said):
    def change(info):
        for item in info['topics_with_message_count']:
            item['topic_metadata']['offered_qos_profiles'] = said

    path = metadata(full().write(tmp_path / 'drive', storage), change)
    assert everything(path) == (WHOLE, [])


def test_what_was_read_is_compared_with_what_the_bag_declares(tmp_path):
    def change(info):
        for item in info['topics_with_message_count']:
            item['message_count'] += 5 * (item['topic_metadata']['name'] == AUDIO)

    path = metadata(full().write(tmp_path / 'drive'), change)
    counts, notes = everything(path)
    assert counts == WHOLE
    assert notes == [f'{AUDIO}: 80 messages read, the bag declares 85']
    assert 'declares 85' in labeled(path, tmp_path / 'out').output


def rewritten(source, target, add):
    """Return a copy of an mcap bag to whose file `add(writer)` wrote more."""
    from mcap.reader import make_reader
    from mcap.writer import Writer

    shutil.copytree(source, target)
    file = next(target.glob('*.mcap'))
    with open(next(source.glob('*.mcap')), 'rb') as old, open(file, 'wb') as new:
        writer = Writer(new)
        writer.start(profile='ros2')
        add(writer)
        channels = {}
        for schema, channel, message in make_reader(old).iter_messages():
            if channel.id not in channels:
                known = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, known, dict(channel.metadata)
                )
            writer.add_message(
                channels[channel.id], message.log_time, message.data, message.publish_time
            )
        writer.finish()
    return target


@pytest.mark.parametrize(
    ('name', 'form', 'definition', 'encoding', 'why'),
    [
        ('battery', 'jsonschema', b'{}', 'json', 'json, not of ROS'),
        ('foxglove.Log', 'protobuf', bytes(range(256)), 'protobuf', 'protobuf, not of ROS'),
        ('', '', b'', 'cbor', 'cbor, not of ROS'),
        ('a/srv/Add_Event', 'ros2msg', b'int64 a\n---\nint64 b\n', 'cdr', 'cannot be understood'),
        ('a/msg/New', '', b'', 'cdr', 'does not define a/msg/New'),
        ('a/msg/Idl', 'ros2idl', b'module a {', 'cdr', 'cannot be understood'),
        ('nav_msgs/msg/Odometry', 'ros2msg', b'int8 x\n', 'cdr', 'no field header, child_frame_id'),
    ],
)  # fmt: skip
def test_channels_that_cannot_be_parsed_are_named_and_the_rest_is_read(
    tmp_path, name, form, definition, encoding, why
):
    def add(writer):
        schema = writer.register_schema(name, form, definition) if name else 0
        channel = writer.register_channel('/extra', encoding, schema)
        writer.add_message(channel, 1000 * S, b'\0\1\0\0', 1000 * S)

    path = rewritten(full().write(tmp_path / 'source'), tmp_path / 'drive', add)
    counts, notes = everything(path)
    assert counts == WHOLE
    [note] = notes
    assert note.startswith('/extra is left out: ') and why in note


def test_a_message_that_is_none_of_its_type_is_counted(tmp_path):
    made = full()
    made.messages.append((made.start_ns + S, ODOM, None))
    cdr = made.cdr
    made.cdr = lambda topic, message: b'\0\1\0\0\5' if message is None else cdr(topic, message)
    counts, notes = everything(made.write(tmp_path / 'drive'))
    assert counts == WHOLE
    assert notes == [f'{ODOM}: 1 of 162 messages are no {TYPES[ODOM]} and are left out']


def test_an_mcap_without_index_is_read(tmp_path):
    from mcap.reader import make_reader
    from mcap.writer import IndexType, Writer

    path = full().write(tmp_path / 'drive')
    file = next(path.glob('*.mcap'))
    for options in ({'use_chunking': False}, {'index_types': IndexType.NONE}):
        with open(file, 'rb') as old, open(tmp_path / 'new', 'wb') as new:
            options |= {'use_statistics': False, 'repeat_channels': False, 'repeat_schemas': False}
            writer = Writer(new, **options)
            writer.start(profile='ros2')
            known = {}
            for schema, channel, message in make_reader(old).iter_messages():
                if channel.id not in known:
                    number = writer.register_schema(schema.name, schema.encoding, schema.data)
                    known[channel.id] = writer.register_channel(channel.topic, 'cdr', number)
                writer.add_message(
                    known[channel.id], message.log_time, message.data, message.log_time
                )
            writer.finish()
        (tmp_path / 'new').replace(file)
        assert everything(path) == (WHOLE, [])


def test_messages_in_a_write_ahead_log_are_read(tmp_path):
    path = full().write(tmp_path / 'drive', 'sqlite3')
    file = next(path.glob('*.db3'))
    with sqlite3.connect(file) as db:
        db.execute('pragma journal_mode=wal')
        db.execute('pragma wal_autocheckpoint=0')
        query = 'select id, topic_id, timestamp, data from messages where id > 100'
        rows = db.execute(query).fetchall()
        db.execute('delete from messages where id > 100')
        db.commit()
        db.execute('pragma wal_checkpoint(TRUNCATE)')
        db.executemany('insert into messages values(?,?,?,?)', rows)
        db.commit()
        kept = {f.name: f.read_bytes() for f in path.glob('*.db3*')}
    db.close()
    for name, data in kept.items():
        (path / name).write_bytes(data)
    counts, notes = everything(path)
    assert counts == WHOLE
    [note] = notes
    assert 'read together with drive.db3-wal' in note
    assert (path / 'drive.db3-wal').read_bytes() == kept['drive.db3-wal']


def test_a_database_whose_last_write_was_not_ended_is_refused_with_what_mends_it(tmp_path):
    path = full().write(tmp_path / 'drive', 'sqlite3')
    file = next(path.glob('*.db3'))
    db = sqlite3.connect(file)
    db.execute('pragma cache_size=1')
    db.execute('update messages set data = zeroblob(5000)')
    kept = {f.name: f.read_bytes() for f in path.glob('*.db3*')}
    db.rollback()
    db.close()
    assert 'drive.db3-journal' in kept
    for name, data in kept.items():
        (path / name).write_bytes(data)
    with pytest.raises(QuietNavError, match=r'drive\.db3-journal.*integrity_check'):
        everything(path)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('relative_file_paths', [1], 'relative_file_paths holds 1'),
        ('relative_file_paths', ['gone.mcap'], 'gone.mcap not there'),
        ('storage_identifier', 'my_plugin', "storage_identifier 'my_plugin', expected mcap or"),
        ('topics_with_message_count', {}, 'topics_with_message_count is {}, expected a list'),
        ('topics_with_message_count', [1], 'topic_metadata is None, expected a mapping'),
        ('compression_mode', 'file', "compressed by 'file' as ''"),
    ],
)
def test_what_is_wrong_with_metadata_is_said_by_its_field(tmp_path, field, value, message):
    path = metadata(full(1.0).write(tmp_path / 'drive'), lambda info: info.update({field: value}))
    with pytest.raises(QuietNavError, match=message):
        Bag(path)


@pytest.mark.parametrize('key', ['name', 'message_count'])
def test_topics_of_metadata_that_are_none_are_refused(tmp_path, key):
    def change(info):
        item = info['topics_with_message_count'][0]
        if key == 'name':
            item['topic_metadata']['name'] = 1
        else:
            item['message_count'] = 'x'

    path = metadata(full(1.0).write(tmp_path / 'drive'), change)
    with pytest.raises(QuietNavError, match=f'{key} is '):
        Bag(path)


def packed(path, data=None):
    """Compress the file of a bag as a whole; data: of the file instead of its own."""
    import zstandard

    file = next(path.glob('*.mcap'))
    content = file.read_bytes() if data is None else data
    file.with_name(file.name + '.zstd').write_bytes(zstandard.compress(content))
    file.unlink()

    def change(info):
        info.update(compression_mode='FILE', compression_format='zstd')
        info['relative_file_paths'] = [file.name + '.zstd']

    return metadata(path, change)


def test_a_compressed_file_is_read_and_removed_again(tmp_path, monkeypatch):
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'temporary'))
    monkeypatch.setattr('tempfile.tempdir', None)
    (tmp_path / 'temporary').mkdir()
    assert everything(packed(full().write(tmp_path / 'drive'))) == (WHOLE, [])
    assert not list((tmp_path / 'temporary').iterdir())


def test_a_small_file_cannot_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr('quiet_nav.recordings.bag_folder._SPARE', 1000)
    path = packed(full(1.0).write(tmp_path / 'drive'), bytes(50_000_000))
    with pytest.raises(QuietNavError, match='unpacks to more than'):
        Bag(path)


@pytest.mark.parametrize(
    ('dropped', 'message'),
    [
        (INFO, f'{INFO} has no messages; say it by --audio-format'),
        (AUDIO, f'{AUDIO} has no messages; sound recorded beside the bag is given by --wav'),
        (DEPTH, f'no depth images: topic {DEPTH} has no messages'),
        (ODOM, f'{ODOM} has no messages; was the robot still'),
    ],
)
def test_a_needed_topic_without_messages_is_named_with_what_helps(tmp_path, dropped, message):
    made = full(4.0)
    path = tmp_path / 'drive'
    topics = sorted({topic for _, topic, _ in made.messages})
    with BagWriter(path, [BagTopic(name, TYPES[name]) for name in topics]) as bag:
        for time_ns, topic, item in made.ordered():
            if topic != dropped:
                bag.write(topic, time_ns, bytes(made.cdr(topic, item)))
    found = labeled(path, tmp_path / 'out')
    assert message in str(found.exception)


def test_a_topic_with_messages_goes_before_one_of_a_better_name_without(tmp_path):
    made = full(4.0)
    other = '/audio_stamped'
    TYPES.setdefault(other, TYPES[AUDIO])
    made.messages = [(t, other if name == AUDIO else name, m) for t, name, m in made.messages]
    topics = [*sorted({name for _, name, _ in made.messages}), AUDIO]
    with BagWriter(tmp_path / 'drive', [BagTopic(n, TYPES[n]) for n in topics]) as writer:
        for time_ns, topic, item in made.ordered():
            writer.write(topic, time_ns, bytes(made.cdr(topic, item)))
    with Bag(tmp_path / 'drive') as bag:
        topics = find_topics(bag, BagTopics())
        assert topics.audio == other
        assert any(isinstance(event, Sound) for _, event in events(bag, topics))


@pytest.mark.parametrize(
    ('shift_s', 'apart'), [(-900, '892.0 s apart'), (900, '892.0 s apart'), (-999, 'never overlap')]
)
def test_odometry_of_another_clock_is_refused_with_numbers(tmp_path, shift_s, apart):
    made = full()
    for time_ns, topic, message in made.messages:
        if topic == ODOM:
            stamp = divmod(time_ns + shift_s * S, S)
            message.header.stamp.sec, message.header.stamp.nanosec = stamp
    found = labeled(made.write(tmp_path / 'drive'), tmp_path / 'out')
    assert apart in str(found.exception) and 'odometry from' in str(found.exception)


def test_odometry_that_comes_too_seldom_is_refused_with_its_rate(tmp_path):
    made = Recording().info(channels=1).sound(8.0, channels=1).depth(lambda t: 0.4, 8.0)
    for i in range(17):
        made.pose(i / 2, 0, 0, 0)
    path = made.write(tmp_path / 'drive')
    message = str(labeled(path, tmp_path / 'out').exception)
    assert 'odometry too slow: 2.0 Hz, at least 4 Hz needed' in message and '--still' in message
    assert labeled(path, tmp_path / 'out', '--still').exit_code == 0


def with_images(made, topic, encoding, channels, extra=0, cut=0):
    rng = np.random.default_rng(1)
    for i in range(40):
        time_ns = made.start_ns + i * S // 5
        data = rng.integers(0, 255, 24 * 32 * channels + extra, np.uint8)
        data = data[: len(data) - cut]
        image = made.type('sensor_msgs/msg/Image')(
            made.header(time_ns, 'camera'), 24, 32, encoding, 0, 32 * channels, data
        )
        made.messages.append((time_ns, topic, image))
    return made


@pytest.mark.parametrize(
    ('encoding', 'channels', 'extra'),
    [('rgb8', 3, 64), ('bgra8', 4, 0), ('rgba8', 4, 0), ('mono8', 1, 0), ('bgr8', 3, 0)],
)
def test_places_have_images_in_every_encoding_that_is_read_live(
    tmp_path, encoding, channels, extra
):
    path = with_images(full(), COLOR, encoding, channels, extra).write(tmp_path / 'drive')
    found = labeled(path, tmp_path / 'out')
    assert found.exit_code == 0, found.output
    assert list((tmp_path / 'out').rglob('RGB.png'))


def test_images_that_cannot_be_read_are_counted_and_left_out(tmp_path):
    made = with_images(full(), COLOR, 'rgb8', 3, cut=10)
    made = with_images(made, DEPTH, '16UC1', 2, cut=7)
    found = labeled(made.write(tmp_path / 'drive'), tmp_path / 'out')
    assert found.exit_code == 0, found.output
    assert '40 of 88 depth images cannot be read and are left out' in said(found)
    assert f'{COLOR}: 40 of 40 images are left out (image not whole' in said(found)
    assert len(list((tmp_path / 'out').rglob('Depth.png'))) == 1


@pytest.mark.slow
def test_a_list_is_labeled_bag_by_bag_and_goes_on_where_it_failed(tmp_path):
    full().write(tmp_path / 'one')
    broken = Recording().info(channels=1).sound(8.0, channels=1).odometry(standing, 8.0)
    broken.write(tmp_path / 'two')
    full().write(tmp_path / 'three')
    rows = 'bag,room,split\r\none, kitchen,train \r\ntwo,office,val\r\nthree,kitchen ,train\r\n'
    # As Excel saves "CSV UTF-8".
    (tmp_path / 'rooms.csv').write_bytes(b'\xef\xbb\xbf' + rows.encode())
    arguments = ['label', '--rooms', str(tmp_path / 'rooms.csv'), '--out', str(tmp_path / 'out')]
    found = CliRunner().invoke(build_app(), arguments)
    assert '1 of 3 bags were not labeled' in str(found.exception)
    assert 'NOT LABELED: bag' in said(found) and 'no depth images' in said(found)
    data = LabeledSet(tmp_path / 'out')
    assert data.rooms == {'kitchen': 'train'} and set(data.bags) == {'one', 'three'}
    shutil.rmtree(tmp_path / 'two')
    full().write(tmp_path / 'two')
    again = CliRunner().invoke(build_app(), arguments)
    assert again.exit_code == 0, again.output
    assert again.output.count('in already') == 2
    assert set(LabeledSet(tmp_path / 'out').bags) == {'one', 'two', 'three'}


def test_another_bag_of_the_same_name_is_not_taken_for_the_one_that_is_in(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    full().write(tmp_path / 'a' / 'drive')
    other = Recording(start_s=5000.0).info(channels=1).sound(8.0, channels=1)
    other.odometry(standing, 8.0).depth(lambda t: 0.4, 8.0).write(tmp_path / 'b' / 'drive')
    assert labeled(tmp_path / 'a' / 'drive', tmp_path / 'out').exit_code == 0
    found = labeled(tmp_path / 'b' / 'drive', tmp_path / 'out')
    assert 'another bag drive is in' in str(found.exception)


def test_what_a_killed_run_left_of_a_bag_does_not_count(tmp_path):
    path = full().write(tmp_path / 'drive')
    assert labeled(path, tmp_path / 'out').exit_code == 0
    data = LabeledSet(tmp_path / 'out')
    place = next((data.root / 'ProcessedData' / 'k').iterdir())
    shutil.copytree(place, place.with_name('drive-007'))
    data.bags.clear()
    data.finish()
    assert '"./data' not in (data.root / 'data-split/obstacle-detection/train.csv').read_text()
    assert labeled(path, tmp_path / 'out').exit_code == 0
    assert [p.name for p in place.parent.iterdir()] == ['drive-000']


@pytest.mark.parametrize('content', [
    'split,room,bag\ntrain', 'bag,room\na,b\n', 'bag,room,split\n', 'bag,room,split\n,k,train\n',
])  # fmt: skip
def test_lists_of_bags_that_are_none_are_refused(tmp_path, content):
    (tmp_path / 'rooms.csv').write_text(content)
    with pytest.raises(QuietNavError, match=r'rooms\.csv'):
        read_assignment(tmp_path / 'rooms.csv')


@pytest.mark.parametrize(
    'content',
    [
        '1',
        '[]',
        '{"rooms": {}, "bags": {"other": 1}}',
        '{"rooms": {"k": "exam"}, "bags": {}}',
        '[' * 5000,
        '{"rooms": {}, "bags": {"a": {"room": "k", "duration": 1, "places": 1, "kept": 1, '
        '"left out": {}}}}',
    ],
)
def test_labels_that_are_none_are_refused(tmp_path, content):
    (tmp_path / 'SFS-Static').mkdir()
    (tmp_path / 'SFS-Static' / 'labels.json').write_text(content)
    with pytest.raises(QuietNavError, match=r'labels\.json: '):
        LabeledSet(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line_before_anything_is_read(tmp_path):
    (tmp_path / 'file').write_text('')
    path = full(4.0).write(tmp_path / 'drive')
    found = labeled(path, tmp_path / 'file')
    assert isinstance(found.exception, QuietNavError) and '\n' not in str(found.exception)


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full here')
def test_a_full_disk_ends_the_command_in_one_line(tmp_path, monkeypatch):
    import errno

    from quiet_nav.recordings import labeled_set

    def fail(path, *_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(labeled_set, 'write_sound', fail)
    found = labeled(full().write(tmp_path / 'drive'), tmp_path / 'out')
    assert isinstance(found.exception, QuietNavError)
    assert 'no space left on the disk' in str(found.exception)
    assert not list((tmp_path / 'out').rglob('sound.wav'))
    assert LabeledSet(tmp_path / 'out').bags == {}


def test_settings_are_those_of_the_command(tmp_path):
    data = LabeledSet(tmp_path / 'out')
    path = full().write(tmp_path / 'drive')
    (tmp_path / 'rooms.csv').write_text(f'bag,room,split\n{path},k,val\n')
    [item] = data.claim(read_assignment(tmp_path / 'rooms.csv'))
    found, moved = data.add(item, LabelSettings(longest_s=3.0))
    assert [place.duration_s for place in found.places] == [3.0] and moved is None


def test_a_pipe_is_no_list(tmp_path):
    os.mkfifo(tmp_path / 'rooms.csv')
    with pytest.raises(QuietNavError, match='a pipe'):
        read_assignment(tmp_path / 'rooms.csv')


@pytest.mark.slow
def test_no_traceback_reaches_the_user(tmp_path):
    made = with_images(full(4.0), COLOR, 'rgb8', 3, extra=64)
    path = made.write(tmp_path / 'drive')
    command = ['quiet_nav', 'label', str(path), '--out', '/proc/none', '--room', 'k']
    run = subprocess.run(
        [*command, '--split', 'train'], capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 2 and run.stderr.count('\n') == 1, run.stderr


@pytest.mark.parametrize(('hz', 'shift_s', 'note'), [(20, -900, 'behind'), (2, 0, 'too slow')])
def test_replay_says_why_odometry_did_not_tell(tmp_path, context_model, hz, shift_s, note):
    from quiet_nav.recordings.replay import replay, ReplaySettings

    made = Recording().info(channels=1).sound(6.0, channels=1)
    for i in range(6 * hz + 1):
        made.pose(i / hz, 0, 0, 0)
    for time_ns, topic, message in made.messages:
        if topic == ODOM:
            stamp = divmod(time_ns + shift_s * S, S)
            message.header.stamp.sec, message.header.stamp.nanosec = stamp
    path = made.write(tmp_path / 'drive')
    found = replay(path, ReplaySettings(model=context_model, rig='single'))
    [said_of_it] = [text for text in found.notes if 'odometry' in text]
    assert note in said_of_it and 'decisions count as made while driving' in said_of_it


@pytest.mark.slow
def test_a_bag_that_cannot_be_replayed_does_not_cost_the_others(tmp_path, context_model):
    full(5.0).write(tmp_path / 'one')
    Recording().odometry(standing, 1.0).write(tmp_path / 'two')
    bags = [str(tmp_path / name) for name in ('one', 'two')]
    arguments = ['replay', *bags, '--out', str(tmp_path / 'out'), '--model', str(context_model)]
    found = CliRunner().invoke(build_app(), [*arguments, '--rig', 'single', '--jobs', '1'])
    assert '1 of 2 bags were not replayed: bag' in str(found.exception)
    assert (tmp_path / 'out' / 'one' / 'readings.csv').is_file()
    assert not (tmp_path / 'out' / 'two').exists()


def test_readings_of_an_earlier_version_are_read():
    from quiet_nav.recordings.bag_storage import Channel
    from quiet_nav.recordings.bag_types import bag_typestore, MessageTypes, NEAR_WALL

    text, _ = bag_typestore().generate_msgdef(NEAR_WALL)
    lines = text.splitlines(keepends=True)
    new = ('distance_prior', 'rig', 'hears_by')
    old = ''.join(line for line in lines if not line.rstrip().endswith(new))
    assert MessageTypes().fault(Channel('/near_wall', NEAR_WALL, 'cdr', old, 'ros2msg', 1)) == ''
    older = ''.join(line for line in old.splitlines(keepends=True) if 'probability' not in line)
    channel = Channel('/near_wall', NEAR_WALL, 'cdr', older, 'ros2msg', 1)
    assert 'no field probability' in MessageTypes().fault(channel)
