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

import dataclasses

from installed import require
import numpy as np
import pytest

torch = pytest.importorskip('torch')
require('lightning')

from task_campus import ROOMS, write_task_campus, write_task_drives  # noqa: E402

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning.checkpoints import load_checkpoint, read_tensors  # noqa: E402
from quiet_nav.learning.recipe import recipe_from_dict  # noqa: E402
from quiet_nav.learning.training import Devices, train  # noqa: E402
from quiet_nav.study.scores import score  # noqa: E402
from quiet_nav.study.tasks import get_task, tasks  # noqa: E402
from quiet_nav.study.tasks.data import TaskData  # noqa: E402
from quiet_nav.study.tasks.examples import FeatureDataset, TaskDataset  # noqa: E402
from quiet_nav.study.tasks.networks import TaskNetwork  # noqa: E402
from quiet_nav.study.tasks.options import with_options  # noqa: E402
from quiet_nav.study.tasks.run import (  # noqa: E402
    like_trunk,
    load_trained,
    outputs,
    predict,
    recipe_for,
    train_task,
)
from quiet_nav.study.tasks.valued import bin_numbers  # noqa: E402
from quiet_nav.study.tasks.views import Views  # noqa: E402

CPU = {'devices': Devices('cpu', 1), 'progress': False}
OPTIONS = {'image_width': 0.125, 'bins': 3, 'examples': 192, 'val_examples': 32}
RECIPE = recipe_from_dict(
    {
        'name': 'tiny',
        'network': {'kind': 'task', 'width': 0.0625, 'options': OPTIONS},
        'optim': {'name': 'adamw', 'learning_rate': 3e-3, 'epochs': 2, 'batch_size': 16},
        'augment': {'amplitude': [0.9, 1.1]},
        'image': {'size': 32},
        'data': {'repeat': 4},
    }
)
VARIANTS = [(name, variant) for name in tasks() for variant in (get_task(name).VARIANTS or ('',))]


def epochs(count: int, **options):
    optim = dataclasses.replace(RECIPE.optim, epochs=count)
    return with_options(dataclasses.replace(RECIPE, optim=optim), **options)


SLOW_FIXTURES = ('trained', 'dense', 'task_campus')


@pytest.fixture(scope='module')
def trained(task_campus, tmp_path_factory):
    """Checkpoints of small trainings, each made when first asked for."""
    made = {}

    def get(name, variant='', inputs=''):
        key = (name, variant, inputs)
        if key not in made:
            out = tmp_path_factory.mktemp('trained')
            task = get_task(name, variant, inputs)
            made[key] = train_task(task, RECIPE, task_campus, out, **CPU).best
        return made[key]

    return get


@pytest.fixture(scope='module')
def dense(tmp_path_factory):
    return write_task_campus(tmp_path_factory.mktemp('dense') / 'SFS-Dense', cells=True)


@pytest.mark.slow
def test_a_little_training_learns_what_can_be_learned(trained, task_campus):
    report = score(predict(trained('order'), task_campus))
    assert report.rows == 84
    assert report.main.beats_baselines


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'variant'), [pair for pair in VARIANTS if pair[0] != 'locate'])
def test_every_task_trains_and_gives_what_evaluation_scores(task_campus, tmp_path, name, variant):
    task = get_task(name, variant)
    optim = dataclasses.replace(RECIPE.optim, epochs=1)
    recipe = dataclasses.replace(
        RECIPE, optim=optim, data=dataclasses.replace(RECIPE.data, repeat=1)
    )
    best = train_task(task, recipe, task_campus, tmp_path, **CPU).best
    found = predict(best, task_campus, 'test')
    assert set(found.rooms) == set(ROOMS['test'])
    assert found.kind == task.KIND
    # Three bins here have no top-5.
    told = [figure.name for figure in score(found).figures]
    assert told == [name for name in task.figures if name != 'top-5']


@pytest.mark.slow
def test_location_is_learned_in_the_rooms_it_is_tested_in(dense, tmp_path):
    task = get_task('locate')
    best = train_task(task, epochs(2, examples=480), dense, tmp_path, **CPU).best
    found = predict(best, dense, 'test')
    assert len(set(found.rooms)) == 9
    assert found.output.shape == (len(found), 3)
    assert found.extra['cell_m'].shape == (len(found), 3, 2)
    assert score(found)['top-1'].value.value > 0.4


def test_location_under_a_time_shift_never_trains_on_the_recordings_it_is_tested_on(dense):
    data = TaskData(dense)
    recordings = {}
    for variant in ('later', 'together'):
        task = get_task('locate', variant)
        train, test = (
            {row.audio for e in task.examples(data, split) for row in e.sounds}
            for split in ('train', 'test')
        )
        recordings[variant] = train & test
    assert not recordings['later']
    assert recordings['together']


@pytest.mark.slow
def test_pairs_of_a_drive_are_drawn_anew_far_apart_in_time_and_distance(tmp_path):
    root = write_task_drives(tmp_path / 'SFS-Motion', {'train': 2, 'val': 2, 'test': 2})
    task, data = get_task('ratio', 'regression'), TaskData(root)
    found = task.all_examples(data)
    drawn = [task.draw(found['train'][0], data, np.random.default_rng(i)) for i in range(40)]
    for example in (*drawn, *found['train']):
        first, second = example.sounds
        assert first.room == second.room == example.room
        assert abs(first.frame - second.frame) >= 15
        assert example.extra['depth_difference_m'] >= 0.1
        assert example.target == pytest.approx(np.log(first.distance_m / second.distance_m))
        assert first.start_s == pytest.approx(first.frame / 15)
    assert len({example.target for example in drawn}) > 20
    assert 10 < sum(example.target < 0 for example in drawn) < 30
    again = task.draw(found['train'][0], data, np.random.default_rng(3))
    assert again == drawn[3]
    assert {row.room for row in data.recordings('val')} == {'val-0', 'val-1'}
    best = train_task(task, epochs(1, examples=32), root, tmp_path / 'out', **CPU).best
    assert len(predict(best, root)) == len(found['test'])


def test_which_examples_are_drawn_depends_on_seed_epoch_and_index_alone(task_campus):
    def made(seed=0):
        task, data = get_task('av-sync'), TaskData(task_campus)
        recipe = dataclasses.replace(epochs(1, examples=20, equalizer_db=3.0), seed=seed)
        return TaskDataset(task, task.examples(data, 'train'), data, recipe, True)

    one, other = made(), made()
    other[(1, 3)]
    first, second = one[(2, 7)], other[(2, 7)]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(one[(3, 7)]['audio'], first['audio'])
    assert not torch.equal(made(seed=1)[(2, 7)]['audio'], first['audio'])
    assert len(one) == 20


def test_sounds_of_a_pair_share_gain_and_equalizer(task_campus):
    task, data = get_task('order'), TaskData(task_campus)
    examples = task.examples(data, 'train')
    plain = TaskDataset(task, examples, data, epochs(1, starts=1), True)
    changed = TaskDataset(task, examples, data, epochs(1, starts=1, equalizer_db=6.0), True)
    difference = changed[(0, 5)]['audio'] - plain[(0, 5)]['audio']
    torch.testing.assert_close(difference[0], difference[1], atol=2e-5, rtol=0)
    assert difference[0].std(0).max() < 1e-4 < difference[0].std()


def test_sync_learns_from_two_places_at_a_time_and_is_asked_about_one(task_campus):
    task, data = get_task('av-sync'), TaskData(task_campus)
    rng = np.random.default_rng(0)
    for example in task.examples(data, 'train'):
        (row, other), images = task.draw(example, data, rng).sounds, example.images
        assert row.room == other.room and row.folder != other.folder and len(images) == 2
    asked = task.examples(data, 'test')
    assert {(len(e.sounds), len(e.images)) for e in asked} == {(1, 1)}
    assert all((e.sounds[0].folder == e.images[0].folder) == bool(e.target) for e in asked)
    right = torch.tensor([[3.0, -3.0, -3.0, 3.0]])
    batch = {'target': torch.ones(1)}
    assert task.loss(right, batch) < 0.1 < 3.0 < task.loss(-right, batch)


def test_bins_of_distances_are_filled_alike_and_those_of_ratios_are_clusters():
    values = np.concatenate([np.linspace(0.2, 0.5, 40), np.linspace(1.0, 3.0, 40)])
    for name, least in (('distance', 18), ('ratio', 1)):
        centers = get_task(name, 'classification').centers(values, 4)
        counts = np.bincount(bin_numbers(values, centers), minlength=4)
        assert counts.sum() == 80 and counts.min() >= least
    # The clusters of these values: one near, three far.
    assert counts[0] == 40
    often = np.repeat([0.3, 0.5, 1.0, 2.0], [9, 1, 1, 1])
    assert get_task('distance', 'classification').centers(often, 4) == pytest.approx(
        [0.3, 0.5, 1.0, 2.0]
    )


def test_views_kept_on_disk_follow_their_files(task_campus):
    row = TaskData(task_campus).rows('val')[0]
    views = Views(RECIPE, training=False)
    sound, image = views.plain(row, 0.0), views.seen((row,), np.random.default_rng(0))
    again = Views(RECIPE, training=False)
    np.testing.assert_array_equal(again.plain(row, 0.0), sound)
    before = row.audio.read_bytes(), row.image.read_bytes()
    other = TaskData(task_campus).rows('val')[1]
    try:
        row.audio.write_bytes(other.audio.read_bytes())
        row.image.write_bytes(other.image.read_bytes())
        changed = Views(RECIPE, training=False)
        assert np.abs(changed.plain(row, 0.0) - sound).max() > 0.1
        assert not torch.equal(changed.seen((row,), np.random.default_rng(0)), image)
    finally:
        row.audio.write_bytes(before[0])
        row.image.write_bytes(before[1])


def test_fewer_rooms_are_among_those_of_a_larger_fraction(task_campus):
    few, more = (TaskData(task_campus, fraction, 3).train_rooms for fraction in (0.5, 0.75))
    assert len(few) == 2
    assert few < more < TaskData(task_campus, 1.0, 3).train_rooms
    data = TaskData(task_campus, 0.5, 3)
    assert {row.room for row in data.rows('train')} == few
    assert {row.room for row in data.rows('test')} == set(ROOMS['test'])


@pytest.mark.slow
def test_interrupted_training_goes_on_to_the_same_bits(trained, task_campus, tmp_path):
    whole = read_tensors(trained('order').with_name('last.ckpt'))['state_dict']
    train_task(get_task('order'), RECIPE, task_campus, tmp_path, limit_epochs=1, **CPU)
    train_task(get_task('order'), RECIPE, task_campus, tmp_path, **CPU)
    again = read_tensors(tmp_path / 'last.ckpt')['state_dict']
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    with pytest.raises(QuietNavError, match=r'task order \(audio\), not near-wall'):
        train_task(get_task('near-wall'), RECIPE, task_campus, tmp_path, **CPU)


def test_predictions_of_shared_views_equal_those_of_plain_batches(trained, task_campus):
    found = load_trained(trained('order'))
    data = TaskData(task_campus)
    examples = found.task.examples(data, 'test')
    whole = with_options(found.recipe, val_examples=0)
    batches = TaskDataset(found.task, examples, data, whole, False)
    with torch.no_grad():
        plain = torch.cat([
            found.network({'audio': batches[i]['audio'][None]}) for i in range(len(examples))
        ])  # fmt: skip
    np.testing.assert_allclose(outputs(found, examples), plain.numpy(), atol=1e-4)


def test_probe_leaves_the_trunk_as_it_was(trained, task_campus, tmp_path):
    source = trained('order')
    recipe = like_trunk(epochs(1, probe=True, starts=3), source)
    best = train_task(
        get_task('near-wall'), recipe, task_campus, tmp_path, trunk=source, **CPU
    ).best
    before, after = (read_tensors(path)['state_dict'] for path in (source, best))
    trunk = [name for name in after if name.startswith('network.encoders.audio.trunk.')]
    assert trunk
    assert all(torch.equal(before[name], after[name]) for name in trunk)
    assert len(predict(best, task_campus)) == 18


def test_features_of_a_probe_are_those_of_its_clips(task_campus):
    task, data = get_task('order'), TaskData(task_campus)
    loud = dataclasses.replace(RECIPE.augment, amplitude=(1.0, 1.0))
    recipe = dataclasses.replace(epochs(1, probe=True, starts=4), augment=loud)
    network = TaskNetwork(task, recipe).eval()
    examples = task.examples(data, 'train')
    kept = FeatureDataset(task, examples, data, recipe, True, network=network)
    clips = TaskDataset(task, examples, data, recipe, True)
    features, views = kept[(1, 9)], clips[(1, 9)]
    with torch.no_grad():
        direct = network.encode('audio', views['audio'])
    torch.testing.assert_close(features['audio_features'], direct, atol=1e-4, rtol=1e-4)


def test_checkpoint_of_another_task_is_refused_by_name(trained, task_campus, tmp_path):
    order = trained('order')
    with pytest.raises(QuietNavError, match=r'of the task order \(audio\), expected near-wall'):
        train_task(get_task('near-wall'), RECIPE, task_campus, tmp_path, init=order, **CPU)
    with pytest.raises(QuietNavError, match='of the task order from audio; its task is order'):
        predict(order, task_campus, task='distance')
    with pytest.raises(QuietNavError, match=r'a checkpoint of the task order \(audio\)'):
        load_checkpoint(order)
    with pytest.raises(QuietNavError, match='without a trunk for image'):
        train_task(get_task('order', inputs='image'), RECIPE, task_campus, tmp_path, trunk=order,
                   **CPU)  # fmt: skip


def test_fine_tuning_takes_the_trunk_of_another_task_where_it_is_asked_for(
    trained, task_campus, tmp_path
):
    still = dataclasses.replace(
        RECIPE, optim=dataclasses.replace(RECIPE.optim, epochs=1, learning_rate=1e-9)
    )
    best = train_task(get_task('near-wall'), still, task_campus, tmp_path,
                      trunk=trained('order'), **CPU).best  # fmt: skip
    name = 'network.encoders.audio.trunk.features.0.weight'
    one, other = (read_tensors(path)['state_dict'][name] for path in (trained('order'), best))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_near_wall_detectors_give_predictions_and_trunks_too(task_campus, tmp_path):
    detector = recipe_from_dict({
        'name': 'detector', 'network': {'width': 0.0625},
        'optim': {'name': 'adamw', 'epochs': 1, 'batch_size': 16}, 'data': {'repeat': 1},
    })  # fmt: skip
    best = train(detector, task_campus, tmp_path / 'detector', **CPU).best
    found = predict(best, task_campus)
    assert found.task == 'near-wall'
    assert len(found) == 18
    recipe = like_trunk(epochs(1, probe=True), best)
    probe = train_task(
        get_task('order'), recipe, task_campus, tmp_path / 'probe', trunk=best, **CPU
    )
    assert load_trained(probe.best).recipe.network.width == 0.0625


def test_what_data_cannot_serve_is_said_before_any_training(tmp_path):
    blind = write_task_campus(tmp_path / 'blind' / 'SFS-Static', images=False)
    with pytest.raises(QuietNavError, match='needs images and SFS-Static has none'):
        train_task(get_task('av-order'), RECIPE, blind, tmp_path / 'out', **CPU)
    alone = write_task_campus(tmp_path / 'alone' / 'SFS-Static', {**ROOMS, 'val': ('E',)})
    with pytest.raises(QuietNavError, match='SFS-Static val has 1 room that can'):
        train_task(get_task('order'), RECIPE, alone, tmp_path / 'out', **CPU)
    flat = write_task_campus(tmp_path / 'flat' / 'SFS-Static', distances=(0.4, 0.4))
    with pytest.raises(QuietNavError, match='two places of different distances'):
        train_task(get_task('conditional-distance'), RECIPE, flat, tmp_path / 'out', **CPU)
    with pytest.raises(QuietNavError, match='both classes'):
        train_task(get_task('near-wall'), RECIPE, flat, tmp_path / 'out', **CPU)
    with pytest.raises(QuietNavError, match='several recordings in each of several cells'):
        train_task(get_task('locate'), RECIPE, alone, tmp_path / 'out', **CPU)
    with pytest.raises(QuietNavError, match='fewer than 8 bins'):
        task = get_task('distance', 'classification')
        good = write_task_campus(tmp_path / 'good' / 'SFS-Static')
        train_task(task, epochs(1, bins=8), good, tmp_path / 'out', **CPU)
    assert not (tmp_path / 'out').exists()


def test_missing_images_are_all_named(tmp_path):
    data = write_task_campus(tmp_path / 'SFS-Static')
    for place in ('A/clip-001', 'H/clip-002'):
        (data / 'ProcessedData' / place / 'RGB.png').unlink()
    with pytest.raises(QuietNavError, match=r'A/clip-001/RGB\.png') as raised:
        train_task(get_task('near-wall', inputs='image'), RECIPE, data, tmp_path / 'out', **CPU)
    assert 'H/clip-002/RGB.png' in str(raised.value)


def test_unknown_tasks_variants_and_inputs_are_refused():
    with pytest.raises(QuietNavError, match="'fly' is none of av-order, av-sync"):
        get_task('fly')
    with pytest.raises(QuietNavError, match="variant 'loud' is none of regression"):
        get_task('ratio', 'loud')
    with pytest.raises(QuietNavError, match="input 'audio' is none of both"):
        get_task('av-order', inputs='audio')


@pytest.mark.parametrize('name', tasks())
@pytest.mark.parametrize('size', ['paper', 'small'])
def test_every_task_has_recipes(name, size):
    recipe = recipe_for(get_task(name), size)
    assert recipe.name.startswith(size)
    assert recipe.network.kind == 'task'
    assert recipe_for(get_task(name), size, probe=True).network.options['probe']
