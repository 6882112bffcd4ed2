"""Image messages through cv_bridge and without it: the same pixels, whatever the bridge lacks."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('cv_bridge', reason='cv_bridge is not installed (make setup does)')

from sensor_msgs.msg import Image

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.camera_messages import image_from_msg, image_to_msg
from quiet_nav.nodes.image_input import picture_of
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.messages import COLOR_ENCODINGS, DEPTH_ENCODINGS, pixels_from_msg
from quiet_nav.recordings.depth import decode_depth

RNG = np.random.default_rng(0)
KINDS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}


def made(encoding, pad=0, extra=0, big=False):
    """Return an image of random pixels, padded rows, more bytes at its end."""
    if encoding in DEPTH_ENCODINGS:
        kind = {'16UC1': 'u2', 'mono16': 'u2', '32FC1': 'f4'}[encoding]
        pixels = RNG.integers(1, 5000, (6, 8)).astype(kind)
        raw = pixels.astype(np.dtype(kind).newbyteorder('>' if big else '<'))
        rows = raw.view(np.uint8).reshape(6, -1)
    else:
        channels = KINDS[encoding]
        pixels = RNG.integers(0, 255, (6, 8, channels)).astype(np.uint8)
        rows = pixels.reshape(6, -1)
    padded = np.pad(rows, ((0, 0), (0, pad)), constant_values=9)
    message = Image(height=6, width=8, encoding=encoding, step=padded.shape[1])
    message.is_bigendian = int(big)
    message.data.frombytes(padded.tobytes() + bytes(extra))
    return pixels, message


LAYOUTS = [{}, {'pad': 5}, {'extra': 64}, {'big': True}, {'pad': 4, 'extra': 3, 'big': True}]


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('encoding', COLOR_ENCODINGS)
def test_color_is_the_same_live_and_in_a_bag(encoding, layout):
    _, message = made(encoding, **layout)
    live, recorded = image_from_msg(message, 'rgb8'), pixels_from_msg(message)
    assert live.shape == (6, 8, 3) and np.array_equal(live, recorded)
    assert np.array_equal(picture_of(message).pixels, live)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('encoding', DEPTH_ENCODINGS)
def test_depth_is_the_same_live_and_in_a_bag(encoding, layout):
    pixels, message = made(encoding, **layout)
    assert np.array_equal(image_from_msg(message), pixels)
    assert np.array_equal(decode_depth(message)[0], pixels)


@pytest.mark.parametrize('encoding', [*COLOR_ENCODINGS, *DEPTH_ENCODINGS])
def test_what_is_made_is_read_back(encoding):
    pixels, _ = made(encoding)
    image = pixels[..., 0] if encoding == 'mono8' else pixels
    message = image_to_msg(image, encoding, ns_to_stamp(5), 'camera')
    assert (message.height, message.width, message.encoding) == (6, 8, encoding)
    assert message.step * 6 == len(message.data) == image.nbytes and not message.is_bigendian
    assert message.header.frame_id == 'camera' and message.header.stamp.nanosec == 5
    assert np.array_equal(image_from_msg(message), image)


def test_a_view_of_a_larger_image_is_sent_as_it_looks():
    whole = RNG.integers(0, 255, (12, 16, 3)).astype(np.uint8)
    part = whole[::2, 1::2, ::-1]
    message = image_to_msg(part, 'bgr8', ns_to_stamp(0), '')
    assert message.step == 24 and np.array_equal(image_from_msg(message), part)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'encoding': 'bayer_rggb8'}, "encoded as 'bayer_rggb8'; expected one of rgb8"),
        ({'height': 7}, 'not whole'),
        ({'step': 10}, 'not whole'),
        ({'width': 0}, 'zero-sized'),
    ],
)
def test_an_image_that_is_none_is_said(change, reason):
    _, message = made('rgb8')
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(QuietNavError, match=reason):
        image_from_msg(message, 'rgb8')
