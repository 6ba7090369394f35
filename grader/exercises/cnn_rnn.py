"""Unit 05: filters on a spectrogram, recurrent steps, a GRU over a batch, and how far apart two frames are."""

import math
from collections.abc import Callable

import torch

from grader.draw import Draw
from grader.exercise import Exercise, Wrong, arguments, exercise

UNIT = "05_cnn_rnn"

# -------------------------------------------------------------------------------------------------------- conv2d


@exercise(unit=UNIT, differentiable=True)
def conv2d(x, kernel):
    return torch.nn.functional.conv2d(x[None, None], kernel[None, None])[0, 0]


@conv2d.case
def small_spectrogram(draw: Draw):
    """A spectrogram and a kernel, neither of them square."""
    return draw.normal(7, 11), draw.normal(3, 5)


@conv2d.case
def square_spectrogram(draw: Draw):
    """A square spectrogram and a square kernel."""
    return draw.normal(6, 6), draw.normal(3, 3)


@conv2d.hidden_case
def any_sizes(draw: Draw):
    """Any sizes."""
    return draw.normal(draw.integer(7, 10), draw.integer(11, 15)), draw.normal(5, 5)


@conv2d.hidden_case
def decibels(draw: Draw):
    """A spectrogram in decibels, all of it below zero, and a kernel of an even width."""
    return draw.uniform(6, 9, low=-80.0, high=-5.0), draw.normal(3, 2)


@conv2d.case(group="edge")
def kernel_as_large_as_the_spectrogram(draw: Draw):
    """A kernel as large as the spectrogram: it fits in one place."""
    return draw.normal(5, 7), draw.normal(5, 7)


@conv2d.case(group="edge")
def one_weight(draw: Draw):
    """A kernel of a single weight."""
    return draw.normal(4, 6), draw.normal(1, 1)


@conv2d.case(group="edge")
def one_column(draw: Draw):
    """A kernel that is one frame wide."""
    return draw.normal(8, 5), draw.normal(3, 1)


@conv2d.hidden_case(group="edge")
def one_row(draw: Draw):
    """A kernel that is one frequency high."""
    return draw.normal(5, 8), draw.normal(1, 5)


@conv2d.hidden_case(group="edge")
def tall_kernel(draw: Draw):
    """A kernel as high as the spectrogram: only time is left to move in."""
    return draw.normal(5, 9), draw.normal(5, 3)


@conv2d.hidden_case(group="edge")
def one_by_one(draw: Draw):
    """A single number under a single weight."""
    return draw.normal(1, 1), draw.normal(1, 1)


@conv2d.case(group="edge")
def double_precision(draw: Draw):
    """Numbers in float64."""
    return draw.normal(6, 8).double(), draw.normal(3, 5).double()


@conv2d.hidden_case(group="edge")
def a_large_kernel_in_float64(draw: Draw):
    """A kernel of forty rows and thirty columns, in float64, on numbers around a million."""
    kernel = draw.normal(40, 30).double()
    return draw.normal(42, 31).double() + 1e6, kernel - kernel.mean()


@conv2d.hidden_case(group="edge", gradient=False, seconds=30.0)
def the_fine_spectrogram_of_the_text(draw: Draw):
    """A spectrogram as large as the one in the text."""
    # The kernel is small because four nested loops are an answer, too: they take a second or two here.
    return draw.normal(160, 194), draw.normal(2, 2)


@conv2d.misconception(
    "The kernel is turned round in both directions: a convolution in the mathematical sense.",
    hint="In the formula kernel and spectrogram are read in the same direction: i + a and t + b, with plus signs.",
)
def flipped(x, kernel):
    return conv2d(x, kernel.flip(0, 1))


@conv2d.misconception(
    "The kernel runs backwards in time.",
    hint="Kernel column 0 meets the earliest of the frames it covers. `numpy.convolve` would turn it round.",
)
def flipped_in_time(x, kernel):
    return conv2d(x, kernel.flip(1))


@conv2d.misconception(
    "The kernel stands on its head: its first row meets the highest of the frequencies it covers.",
    hint="Pictures may have frequency upwards; tensors are read from row 0. Which row of x does kernel row 0 meet?",
)
def flipped_in_frequency(x, kernel):
    return conv2d(x, kernel.flip(0))


@conv2d.misconception(
    "Rows and columns of the kernel are exchanged.",
    hint="Both tensors are (frequency, time). Is there a `.T` too many, or kernel[b, a] for kernel[a, b]?",
)
def transposed_kernel(x, kernel):
    return conv2d(x, kernel.T)


@conv2d.misconception(
    "Rows and columns of the result are exchanged.",
    hint="The result is (frequency, time) as well: rows for the F − kf + 1 positions upwards.",
)
def transposed_result(x, kernel):
    return conv2d(x, kernel).T


@conv2d.misconception(
    "The spectrogram is padded with zeros, so that the result is as large as it was.",
    hint="Here the kernel only goes where it fits entirely. In how many places does a kernel of 3 fit on 7 rows?",
)
def padded(x, kernel):
    height, width = (size - 1 for size in kernel.shape)
    around = (width // 2, width - width // 2, height // 2, height - height // 2)
    return conv2d(torch.nn.functional.pad(x, around), kernel)


@conv2d.misconception(
    "The result has the size of x: the results stand in its upper left corner, and the rest is left at zero.",
    hint="In how many places does a kernel of 3 fit on 7 rows? So many rows has the result.",
)
def filled_up_with_zeros(x, kernel):
    y = conv2d(x, kernel)
    return torch.nn.functional.pad(y, (0, x.shape[1] - y.shape[1], 0, x.shape[0] - y.shape[0]))


@conv2d.misconception(
    "One position too few in each direction: the last place where the kernel fits is left out.",
    hint="A kernel of 3 fits on 3 rows once, not zero times. What does `range(F - kf)` give there?",
)
def last_place_missing(x, kernel):
    return conv2d(x, kernel)[:-1, :-1]


@conv2d.misconception(
    "One position too few in time: the last frame where the kernel fits is left out.",
    hint="The two directions go by the same rule. A kernel of 3 fits on 3 frames once.",
)
def last_frame_missing(x, kernel):
    return conv2d(x, kernel)[:, :-1]


@conv2d.misconception(
    "One position too few in frequency: the last row where the kernel fits is left out.",
    hint="The two directions go by the same rule. A kernel of 3 fits on 3 rows once.",
)
def last_row_missing(x, kernel):
    return conv2d(x, kernel)[:-1]


@conv2d.misconception(
    "The result has the right size, but its last row and column stay zero: the loops end one place too early.",
    hint="How often does `range(F - kf)` run, and how many rows has the result?",
)
def last_place_left_at_zero(x, kernel):
    return torch.nn.functional.pad(conv2d(x, kernel)[:-1, :-1], (0, 1, 0, 1))


@conv2d.misconception(
    "The number of places is found by dividing: F // kf is how often the kernel fits side by side, without overlap.",
    hint="Neighbouring places overlap. On 7 rows a kernel of 3 may begin at rows 0 to 4. What formula says 5?",
)
def places_divided(x, kernel):
    return conv2d(x, kernel)[: x.shape[0] // kernel.shape[0], : x.shape[1] // kernel.shape[1]]


@conv2d.misconception(
    "The kernel jumps by its own size instead of moving one step at a time.",
    hint="Neighbouring results share most of the numbers they look at. By how much does your window move?",
)
def side_by_side(x, kernel):
    return torch.nn.functional.conv2d(x[None, None], kernel[None, None], stride=kernel.shape)[0, 0]


@conv2d.misconception(
    "It is the mean of the products, not their sum.",
    hint="A 2 × 2 kernel of ones on a patch of ones gives 4.",
)
def mean_of_products(x, kernel):
    return conv2d(x, kernel) / kernel.numel()


@conv2d.misconception(
    "Negative results are set to zero: that is the ReLU that often follows a convolution, not part of it.",
    hint="A filter for onsets answers with a negative number where a sound ends. Should that be lost?",
)
def rectified(x, kernel):
    return conv2d(x, kernel).relu()


@conv2d.misconception(
    "The kernel is applied in time only: each result adds up all frequencies at once, as a 1-D convolution does.",
    hint="The kernel moves in two directions. Which slice picks kf rows and kt columns of x?",
)
def only_in_time(x, kernel):
    columns = kernel.sum(0).expand(x.shape[0], -1)
    return torch.nn.functional.conv1d(x[None], columns[None])[0]


@conv2d.alternative
def place_by_place(x, kernel):
    (rows, columns), (height, width) = x.shape, kernel.shape
    return torch.stack(
        [
            torch.stack([(x[i : i + height, t : t + width] * kernel).sum() for t in range(columns - width + 1)])
            for i in range(rows - height + 1)
        ]
    )


@conv2d.alternative
def weight_by_weight(x, kernel):
    rows, columns = x.shape[0] - kernel.shape[0] + 1, x.shape[1] - kernel.shape[1] + 1
    total = x.new_zeros(rows, columns)
    for a in range(kernel.shape[0]):
        for b in range(kernel.shape[1]):
            total = total + kernel[a, b] * x[a : a + rows, b : b + columns]
    return total


@conv2d.alternative
def by_windows(x, kernel):
    windows = x.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return torch.einsum("itab,ab->it", windows, kernel)


# ------------------------------------------------------------------------------------------------------ rnn_step


@exercise(unit=UNIT, differentiable=True)
def rnn_step(x, h, w_ih, w_hh, b_ih, b_hh):
    with torch.device("meta"):
        cell = torch.nn.RNNCell(x.shape[-1], h.shape[-1])
    return torch.func.functional_call(cell, _parameters(w_ih, w_hh, b_ih, b_hh), (x, h))


def _parameters(w_ih, w_hh, b_ih, b_hh, layer=""):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {name + layer: value for name, value in zip(names, (w_ih, w_hh, b_ih, b_hh), strict=True)}


def _cell(draw: Draw, gates: int, batch: int, inputs: int, hidden: int, scale: float = 0.7, states: int = 1):
    """Random arguments of a step: input, states, weights of both kinds, biases of both kinds."""
    return (
        draw.normal(batch, inputs),
        *(draw.normal(batch, hidden) for _ in range(states)),
        draw.normal(gates * hidden, inputs, scale=scale),
        draw.normal(gates * hidden, hidden, scale=scale),
        draw.normal(gates * hidden),
        draw.normal(gates * hidden),
    )


def _saturated(draw: Draw, gates: int, *cell):
    """The same arguments with biases of −200 and 200 in two rows of each gate: sigmoid and tanh are at their ends."""
    b_ih = cell[-2].clone()
    for block in b_ih.view(gates, -1):
        shut, opened = draw.permutation(len(block))[:2]
        block[shut], block[opened] = -200.0, 200.0
    return *cell[:-2], b_ih, cell[-1]


def _cases_of_a_step(step: Exercise, gates: int, states: int = 1):
    """What is asked of all three kinds of step."""

    @step.case
    def one_step(draw: Draw):
        """One step of two clips."""
        return _cell(draw, gates, 2, 3, 4, states=states)

    @step.hidden_case
    def a_larger_step(draw: Draw):
        """A larger batch and state."""
        return _cell(draw, gates, 4, 6, 5, scale=0.5, states=states)

    @step.case(group="edge")
    def as_many_inputs_as_units(draw: Draw):
        """As many inputs as hidden units."""
        return _cell(draw, gates, 2, 4, 4, states=states)

    @step.hidden_case(group="edge")
    def everything_of_one_size(draw: Draw):
        """As many clips as inputs and hidden units."""
        return _cell(draw, gates, 3, 3, 3, states=states)

    @step.case(group="edge")
    def a_single_clip(draw: Draw):
        """A batch of one clip."""
        return _cell(draw, gates, 1, 3, 4, states=states)

    @step.case(group="edge")
    def a_single_unit(draw: Draw):
        """A state of a single number."""
        return _cell(draw, gates, 3, 2, 1, states=states)

    @step.hidden_case(group="edge")
    def one_of_everything(draw: Draw):
        """One clip, one input, one unit."""
        return _cell(draw, gates, 1, 1, 1, states=states)

    @step.case(group="edge")
    def first_step(draw: Draw):
        """The first step: all that is remembered is zero."""
        x, *rest = _cell(draw, gates, 2, 3, 5, states=states)
        return x, *map(torch.zeros_like, rest[:states]), *rest[states:]

    @step.hidden_case(group="edge")
    def silent_input(draw: Draw):
        """An input of zeros: only the memory speaks."""
        x, *rest = _cell(draw, gates, 2, 3, 4, states=states)
        return torch.zeros_like(x), *rest

    @step.case(group="edge")
    def a_step_in_float64(draw: Draw):
        """Numbers in float64."""
        return tuple(one.double() for one in _cell(draw, gates, 2, 3, 4, states=states))

    @step.hidden_case(group="edge")
    def sixteen_clips_of_forty_inputs(draw: Draw):
        """Sixteen clips, forty inputs and thirty-two units, as in the networks of the text."""
        return _cell(draw, gates, 16, 40, 32, scale=0.1, states=states)

    @step.case(group="large values")
    def shut_or_wide_open(draw: Draw):
        """Some sums are far below zero, some far above."""
        return _saturated(draw, gates, *_cell(draw, gates, 4, 3, 5, states=states))

    @step.hidden_case(group="large values")
    def many_shut_or_wide_open(draw: Draw):
        """Some sums are far below zero, some far above, in a larger state."""
        return _saturated(draw, gates, *_cell(draw, gates, 2, 9, 12, scale=0.4, states=states))


_cases_of_a_step(rnn_step, gates=1)


@rnn_step.misconception(
    "The tanh is missing, so the state can grow without bound.",
    hint="What keeps the state between −1 and 1, however often the step is repeated?",
)
def no_tanh(x, h, w_ih, w_hh, b_ih, b_hh):
    return x @ w_ih.T + b_ih + h @ w_hh.T + b_hh


@rnn_step.misconception(
    "A sigmoid stands where the tanh belongs: the state can never be negative.",
    hint="The gates of a GRU use a sigmoid. What does the formula of the plain RNN use?",
)
def sigmoid_state(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.sigmoid(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)


@rnn_step.misconception(
    "A ReLU stands where the tanh belongs.",
    hint="`nn.RNN` can be told to use a ReLU; here the tanh is asked for.",
)
def relu_state(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.relu(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)


@rnn_step.misconception(
    "The old state is not used: this network has no memory.",
    hint="Which of the arguments carries what was heard before?",
)
def no_memory(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + b_ih + b_hh)


@rnn_step.misconception(
    "The old state is added as it is, without its weights.",
    hint="Each number of the new state may depend on all numbers of the old one. Which matrix says how?",
)
def state_not_weighted(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + b_ih + h + b_hh)


@rnn_step.misconception(
    "The old state is added to the tanh, as in a residual connection.",
    hint="The tanh goes around everything. Can your state be larger than 1?",
)
def residual(x, h, w_ih, w_hh, b_ih, b_hh):
    return h + torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)


@rnn_step.misconception(
    "Input and memory are squeezed separately and then added.",
    hint="There is one tanh, around the sum.",
)
def two_tanhs(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + b_ih) + torch.tanh(h @ w_hh.T + b_hh)


@rnn_step.misconception(
    "Only the input's bias is added.",
    hint="PyTorch keeps two biases, one for each matrix. Count how many you add.",
)
def one_bias(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + h @ w_hh.T + b_ih)


@rnn_step.misconception(
    "Only the state's bias is added.",
    hint="PyTorch keeps two biases, one for each matrix. Count how many you add.",
)
def input_bias_missing(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + h @ w_hh.T + b_hh)


@rnn_step.misconception(
    "No bias is added at all.",
    hint="Four things are added up inside the tanh. Which of the arguments do you not use?",
)
def no_bias(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + h @ w_hh.T)


@rnn_step.misconception(
    "A tanh of your own overflows: exp of a large number is infinite, and infinity over infinity is not a number.",
    hint="`torch.tanh` stays between −1 and 1, however large the input.",
)
def overflowing_tanh(x, h, w_ih, w_hh, b_ih, b_hh):
    total = x @ w_ih.T + b_ih + h @ w_hh.T + b_hh
    return (total.exp() - (-total).exp()) / (total.exp() + (-total).exp())


@rnn_step.misconception(
    "The hidden matrix is not transposed: rows and columns of `w_hh` are exchanged.",
    hint="Weights are (out, in), as in nn.Linear. What does nn.Linear do with its weight?",
)
def hidden_matrix_not_transposed(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + b_ih + h @ w_hh + b_hh)


@rnn_step.alternative
def both_linear_layers(x, h, w_ih, w_hh, b_ih, b_hh):
    linear = torch.nn.functional.linear
    return torch.tanh(linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh))


@rnn_step.alternative
def side_by_side_in_one_matrix(x, h, w_ih, w_hh, b_ih, b_hh):
    return (torch.cat([x, h], dim=-1) @ torch.cat([w_ih, w_hh], dim=1).mT + (b_ih + b_hh)).tanh()


@rnn_step.alternative
def tanh_from_a_sigmoid(x, h, w_ih, w_hh, b_ih, b_hh):
    total = torch.einsum("bd,hd->bh", x, w_ih) + torch.einsum("bk,hk->bh", h, w_hh) + b_ih + b_hh
    return 2 * torch.sigmoid(2 * total) - 1


# ------------------------------------------------------------------------------------------------------ gru_step


@exercise(unit=UNIT, differentiable=True)
def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    with torch.device("meta"):
        cell = torch.nn.GRUCell(x.shape[-1], h.shape[-1])
    return torch.func.functional_call(cell, _parameters(w_ih, w_hh, b_ih, b_hh), (x, h))


_cases_of_a_step(gru_step, gates=3)


@gru_step.hidden_case(group="large values", gradient=False)
def large_states(draw: Draw):
    """A state far outside −1 … 1."""
    x, h, *rest = _cell(draw, 3, 4, 3, 5)
    return x, h * 30, *rest


@gru_step.hidden_property_case(group="large values")
def a_shut_gate_keeps_the_state(draw: Draw):
    """Where the update gate is 1, the state stays as it was."""
    x, h, w_ih, w_hh, b_ih, b_hh = _cell(draw, 3, 2, 3, 4)
    b_ih[4:8] = 200.0
    got = yield x, h, w_ih, w_hh, b_ih, b_hh
    if not torch.allclose(got.value, h, atol=1e-6):
        raise Wrong("the bias of the second gate is 200, so z is 1 and the state should be kept, but it has changed")


def _gru(x, h, w_ih, w_hh, b_ih, b_hh):
    """The six products of a GRU step: of the input for r, z, n, then of the state for r, z, n."""
    return *(x @ w_ih.T + b_ih).chunk(3, -1), *(h @ w_hh.T + b_hh).chunk(3, -1)


@gru_step.misconception(
    "The reset gate is applied to the state before the matrix product. So did the first paper on GRUs; PyTorch does "
    "it afterwards.",
    hint="In the formula r multiplies the whole bracket, the product with the matrix and its bias included.",
)
def reset_before_the_product(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, _ = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    size = h.shape[-1]
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(i_n + (r * h) @ w_hh[2 * size :].T + b_hh[2 * size :])
    return (1 - z) * n + z * h


@gru_step.misconception(
    "z and 1 − z are exchanged: an open update gate takes the new value where it should keep the old one.",
    hint="With z = 1 nothing changes. Which of the two, n or h, does z multiply? (Papers differ in this.)",
)
def update_exchanged(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(i_n + r * hn)
    return z * n + (1 - z) * h


@gru_step.misconception(
    "The first two gates are exchanged: the rows are read as z, r, n. Keras stores them so; PyTorch stores r, z, n.",
    hint="The first H rows belong to the reset gate. Which gate do you take from them?",
)
def update_gate_first(x, h, w_ih, w_hh, b_ih, b_hh):
    iz, ir, i_n, hz, hr, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(i_n + r * hn)
    return (1 - z) * n + z * h


@gru_step.misconception(
    "The candidate's rows are taken first: n, r, z instead of r, z, n.",
    hint="The candidate n is in the last third of the rows.",
)
def candidate_first(x, h, w_ih, w_hh, b_ih, b_hh):
    i_n, ir, iz, hn, hr, hz = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(i_n + r * hn)
    return (1 - z) * n + z * h


@gru_step.misconception(
    "The rows are read as H groups of three, one row for each gate in turn; they are three blocks of H rows.",
    hint="Look at rows 0 to H − 1 of `w_ih`: they all belong to r. Which way of cutting gives three such blocks?",
)
def interleaved_gates(x, h, w_ih, w_hh, b_ih, b_hh):
    mine, memory = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    r = torch.sigmoid(mine[:, 0::3] + memory[:, 0::3])
    z = torch.sigmoid(mine[:, 1::3] + memory[:, 1::3])
    n = torch.tanh(mine[:, 2::3] + r * memory[:, 2::3])
    return (1 - z) * n + z * h


@gru_step.misconception(
    "The hidden bias of the candidate is added outside the reset gate.",
    hint="What stands inside the bracket that r multiplies? There are two terms.",
)
def bias_not_reset(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    bias = b_hh[2 * h.shape[-1] :]
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(i_n + bias + r * (hn - bias))
    return (1 - z) * n + z * h


@gru_step.misconception(
    "The reset gate multiplies the input's part of the candidate, too.",
    hint="r says how much of the memory to look at. Should it silence the input?",
)
def input_reset_too(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(r * (i_n + hn))
    return (1 - z) * n + z * h


@gru_step.misconception(
    "The reset gate is computed but not used.",
    hint="Where does r appear in the formula for n?",
)
def reset_unused(x, h, w_ih, w_hh, b_ih, b_hh):
    _, iz, i_n, _, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    z = torch.sigmoid(iz + hz)
    return (1 - z) * torch.tanh(i_n + hn) + z * h


@gru_step.misconception(
    "The old state is not carried over: only (1 − z)·n is returned.",
    hint="The new state is a mixture of two things. What is the other one?",
)
def nothing_kept(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    return (1 - torch.sigmoid(iz + hz)) * torch.tanh(i_n + torch.sigmoid(ir + hr) * hn)


@gru_step.misconception(
    "The candidate goes through a sigmoid; it should go through a tanh.",
    hint="Gates lie between 0 and 1. May the state be negative?",
)
def sigmoid_candidate(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    return (1 - z) * torch.sigmoid(i_n + r * hn) + z * h


@gru_step.misconception(
    "The candidate has no tanh: the state could grow without bound.",
    hint="Three of the four lines have a function around them. Which one does n have?",
)
def candidate_without_tanh(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    z = torch.sigmoid(iz + hz)
    return (1 - z) * (i_n + torch.sigmoid(ir + hr) * hn) + z * h


@gru_step.misconception(
    "The update gate stands where the reset gate belongs, in the candidate.",
    hint="Each gate is used in one line of the formula only. Which one does the bracket in n belong to?",
)
def update_for_reset(x, h, w_ih, w_hh, b_ih, b_hh):
    _, iz, i_n, _, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    z = torch.sigmoid(iz + hz)
    return (1 - z) * torch.tanh(i_n + z * hn) + z * h


@gru_step.misconception(
    "The blocks of the hidden matrix are not transposed.",
    hint="Weights are (out, in), as in nn.Linear. The state's blocks are square, so no error warns you.",
)
def hidden_blocks_not_transposed(x, h, w_ih, w_hh, b_ih, b_hh):
    return gru_step(x, h, w_ih, torch.cat([block.T for block in w_hh.chunk(3)]), b_ih, b_hh)


@gru_step.misconception(
    "The gates go through a tanh, so they can be negative; a gate lies between 0 (shut) and 1 (open).",
    hint="Which function has values between 0 and 1?",
)
def tanh_gates(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = torch.tanh(ir + hr), torch.tanh(iz + hz)
    return (1 - z) * torch.tanh(i_n + r * hn) + z * h


@gru_step.misconception(
    "The biases of the hidden side are left out.",
    hint="PyTorch keeps two sets of biases. Count how many you add.",
)
def hidden_biases_missing(x, h, w_ih, w_hh, b_ih, b_hh):
    return gru_step(x, h, w_ih, w_hh, b_ih, torch.zeros_like(b_hh))


@gru_step.misconception(
    "A sigmoid of your own overflows: exp of a large number is infinite, and its gradient is not a number.",
    hint="`torch.sigmoid` and `torch.tanh` stay finite, their gradients too, however large the input.",
)
def overflowing_sigmoid(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = 1 / (1 + torch.exp(-ir - hr)), 1 / (1 + torch.exp(-iz - hz))
    return (1 - z) * torch.tanh(i_n + r * hn) + z * h


@gru_step.misconception(
    "A sigmoid of your own overflows: exp of a large number is infinite, and infinity over infinity is not a number.",
    hint="`torch.sigmoid` and `torch.tanh` stay finite, their gradients too, however large the input.",
)
def infinity_over_infinity(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = (total.exp() / (1 + total.exp()) for total in (ir + hr, iz + hz))
    return (1 - z) * torch.tanh(i_n + r * hn) + z * h


@gru_step.alternative
def gate_by_gate(x, h, w_ih, w_hh, b_ih, b_hh):
    size = h.shape[-1]
    gates = []
    for k in range(2):
        rows = slice(k * size, (k + 1) * size)
        gates.append(torch.sigmoid(x @ w_ih[rows].T + b_ih[rows] + h @ w_hh[rows].T + b_hh[rows]))
    reset, update = gates
    memory = torch.nn.functional.linear(h, w_hh[2 * size :], b_hh[2 * size :])
    candidate = torch.tanh(torch.nn.functional.linear(x, w_ih[2 * size :], b_ih[2 * size :]) + reset * memory)
    return candidate + update * (h - candidate)


@gru_step.alternative
def weights_as_three_matrices(x, h, w_ih, w_hh, b_ih, b_hh):
    mine = torch.einsum("bd,ghd->gbh", x, w_ih.unflatten(0, (3, -1))) + b_ih.view(3, 1, -1)
    memory = torch.einsum("bk,ghk->gbh", h, w_hh.unflatten(0, (3, -1))) + b_hh.view(3, 1, -1)
    r, z = torch.sigmoid(mine[:2] + memory[:2])
    return torch.lerp(torch.tanh(mine[2] + r * memory[2]), h, z)


@gru_step.alternative
def gates_from_tanh(x, h, w_ih, w_hh, b_ih, b_hh):
    ir, iz, i_n, hr, hz, hn = _gru(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = (0.5 + 0.5 * torch.tanh(0.5 * (one + other)) for one, other in ((ir, hr), (iz, hz)))
    return torch.addcmul(z * h, 1 - z, torch.tanh(torch.addcmul(i_n, r, hn)))


# ----------------------------------------------------------------------------------------------------- lstm_step


@exercise(unit=UNIT, differentiable=True)
def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh):
    with torch.device("meta"):
        cell = torch.nn.LSTMCell(x.shape[-1], h.shape[-1])
    return torch.func.functional_call(cell, _parameters(w_ih, w_hh, b_ih, b_hh), (x, (h, c)))


_cases_of_a_step(lstm_step, gates=4, states=2)


@lstm_step.case(group="large values")
def a_full_cell(draw: Draw):
    """A cell that has counted far beyond 1."""
    x, h, c, *rest = _cell(draw, 4, 3, 3, 5, states=2)
    return x, h, c * 20, *rest


@lstm_step.hidden_case(group="large values")
def many_full_cells(draw: Draw):
    """Sixteen clips whose cells have counted far beyond 1."""
    x, h, c, *rest = _cell(draw, 4, 16, 40, 32, scale=0.1, states=2)
    return x, h, c * 50, *rest


@lstm_step.hidden_property_case(group="large values")
def a_cell_left_alone(draw: Draw):
    """With the input gate shut and the forget gate open, the cell stays as it was."""
    x, h, c, w_ih, w_hh, b_ih, b_hh = _cell(draw, 4, 2, 3, 4, states=2)
    b_ih[0:4], b_ih[4:8] = -200.0, 200.0
    got = yield x, h, c * 9, w_ih, w_hh, b_ih, b_hh
    if not torch.allclose(got.value[1], c * 9, atol=1e-4):
        raise Wrong(
            "the input gate is shut and the forget gate open (biases of −200 and 200), but the cell has changed"
        )


def _lstm(x, h, w_ih, w_hh, b_ih, b_hh):
    """The four sums of an LSTM step before their sigmoid or tanh, in the order of the rows."""
    return (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, -1)


def _lstm_from(i, f, g, o, c):
    """The rest of an LSTM step from the four sums."""
    cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


@lstm_step.misconception(
    "The rows are read as i, f, o, g: the candidate is taken for the output gate.",
    hint="Some courses put the three sigmoids side by side. PyTorch stores i, f, g, o: which block comes last?",
)
def candidate_last(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, o, g = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    return _lstm_from(i, f, g, o, c)


@lstm_step.misconception(
    "The rows are read as f, i, g, o: input gate and forget gate are exchanged.",
    hint="Many drawings begin with the forget gate. PyTorch's first H rows belong to the input gate.",
)
def forget_gate_first(x, h, c, w_ih, w_hh, b_ih, b_hh):
    f, i, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    return _lstm_from(i, f, g, o, c)


@lstm_step.misconception(
    "The rows are read as i, g, f, o, TensorFlow's old order.",
    hint="PyTorch stores i, f, g, o. Which gate do you take from the second block?",
)
def candidate_second(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, g, f, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    return _lstm_from(i, f, g, o, c)


@lstm_step.misconception(
    "The rows are read as H groups of four, one row for each gate in turn; they are four blocks of H rows.",
    hint="Look at rows 0 to H − 1 of `w_ih`: they all belong to i. Which way of cutting gives four such blocks?",
)
def interleaved_lstm_gates(x, h, c, w_ih, w_hh, b_ih, b_hh):
    total = x @ w_ih.T + b_ih + h @ w_hh.T + b_hh
    return _lstm_from(*(total[:, k::4] for k in range(4)), c)


@lstm_step.misconception(
    "The tanh on the cell is missing in h: a cell of 20 gives a state of 20.",
    hint="What squeezes the cell before the output gate lets it out?",
)
def cell_not_squeezed(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * cell, cell


@lstm_step.misconception(
    "The squeezed cell is returned: the next step would no longer find the sum, but its tanh.",
    hint="The tanh is only for what goes out as h. What is handed on as c?",
)
def squeezed_cell_returned(x, h, c, w_ih, w_hh, b_ih, b_hh):
    h, cell = lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh)
    return h, torch.tanh(cell)


@lstm_step.misconception(
    "h is made from the old cell, not from the new one.",
    hint="What has just been written should be visible at once. Compute c first, then h.",
)
def old_cell_shown(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    return torch.sigmoid(o) * torch.tanh(c), torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)


@lstm_step.misconception(
    "The two results are exchanged: it returns (c, h).",
    hint="The docstring's last line says which comes first.",
)
def cell_first(x, h, c, w_ih, w_hh, b_ih, b_hh):
    h, cell = lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh)
    return cell, h


@lstm_step.misconception(
    "Only h is returned; the next step needs the cell as well.",
    hint="An LSTM hands on two things. The docstring's last line names both.",
)
def cell_lost(x, h, c, w_ih, w_hh, b_ih, b_hh):
    return lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh)[0]


@lstm_step.misconception(
    "The candidate g goes through a sigmoid: the cell could only ever be filled, never emptied.",
    hint="Three of the four go through a sigmoid. Which one is not a gate?",
)
def sigmoid_everywhere(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.sigmoid(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


@lstm_step.misconception(
    "The candidate has no tanh.",
    hint="What goes into the cell in one step lies between −1 and 1. What ensures that?",
)
def candidate_not_squeezed(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    cell = torch.sigmoid(f) * c + torch.sigmoid(i) * g
    return torch.sigmoid(o) * torch.tanh(cell), cell


@lstm_step.misconception(
    "It forgets as much as it writes: 1 − i stands where the forget gate belongs.",
    hint="A GRU has one gate for both. How many gates has an LSTM, and which one have you not used?",
)
def one_gate_for_both(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, _, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    return _lstm_from(i, -i, g, o, c)


@lstm_step.misconception(
    "The gates look at the cell c, where they should look at the state h.",
    hint="`w_hh` multiplies what the network said last, not what it keeps to itself.",
)
def gates_look_at_the_cell(x, h, c, w_ih, w_hh, b_ih, b_hh):
    return _lstm_from(*_lstm(x, c, w_ih, w_hh, b_ih, b_hh), c)


@lstm_step.misconception(
    "1 is added inside the forget gate. That is a way to choose its starting bias, not part of the step.",
    hint="All biases are in `b_ih` and `b_hh` already. Do you add another?",
)
def forget_bias_added(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    return _lstm_from(i, f + 1, g, o, c)


@lstm_step.misconception(
    "The biases of the hidden side are left out.",
    hint="PyTorch keeps two sets of biases. Count how many you add.",
)
def hidden_lstm_biases_missing(x, h, c, w_ih, w_hh, b_ih, b_hh):
    return lstm_step(x, h, c, w_ih, w_hh, b_ih, torch.zeros_like(b_hh))


@lstm_step.misconception(
    "A sigmoid of your own overflows: exp of a large number is infinite, and its gradient is not a number.",
    hint="`torch.sigmoid` and `torch.tanh` stay finite, their gradients too, however large the input.",
)
def overflowing_lstm_sigmoid(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    i, f, o = (1 / (1 + torch.exp(-one)) for one in (i, f, o))
    cell = f * c + i * torch.tanh(g)
    return o * torch.tanh(cell), cell


@lstm_step.misconception(
    "A sigmoid of your own overflows: exp of a large number is infinite, and infinity over infinity is not a number.",
    hint="`torch.sigmoid` and `torch.tanh` stay finite, their gradients too, however large the input.",
)
def infinity_over_infinity_in_a_gate(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = _lstm(x, h, w_ih, w_hh, b_ih, b_hh)
    i, f, o = (one.exp() / (1 + one.exp()) for one in (i, f, o))
    cell = f * c + i * torch.tanh(g)
    return o * torch.tanh(cell), cell


@lstm_step.misconception(
    "The blocks of the hidden matrix are not transposed.",
    hint="Weights are (out, in), as in nn.Linear. The state's blocks are square, so no error warns you.",
)
def hidden_lstm_blocks_not_transposed(x, h, c, w_ih, w_hh, b_ih, b_hh):
    return lstm_step(x, h, c, w_ih, torch.cat([block.T for block in w_hh.chunk(4)]), b_ih, b_hh)


@lstm_step.alternative
def lstm_gate_by_gate(x, h, c, w_ih, w_hh, b_ih, b_hh):
    size = h.shape[-1]
    sums = []
    for k in range(4):
        rows = slice(k * size, (k + 1) * size)
        sums.append(x @ w_ih[rows].T + h @ w_hh[rows].T + b_ih[rows] + b_hh[rows])
    cell = c * sums[1].sigmoid() + sums[0].sigmoid() * sums[2].tanh()
    return cell.tanh() * sums[3].sigmoid(), cell


@lstm_step.alternative
def weights_as_four_matrices(x, h, c, w_ih, w_hh, b_ih, b_hh):
    both, weights = torch.cat([x, h], dim=-1), torch.cat([w_ih, w_hh], dim=1).unflatten(0, (4, -1))
    i, f, g, o = torch.einsum("bd,ghd->gbh", both, weights) + (b_ih + b_hh).view(4, 1, -1)
    cell = torch.addcmul(f.sigmoid() * c, i.sigmoid(), g.tanh())
    return o.sigmoid() * cell.tanh(), cell


@lstm_step.alternative
def lstm_gates_from_tanh(x, h, c, w_ih, w_hh, b_ih, b_hh):
    linear = torch.nn.functional.linear
    i, f, g, o = (linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)).chunk(4, dim=1)
    i, f, o = (0.5 * (1 + torch.tanh(one / 2)) for one in (i, f, o))
    c = c - (1 - f) * c + i * torch.tanh(g)
    return o * torch.tanh(c), c


# ------------------------------------------------------------------------------------------------------- run_gru


@exercise(unit=UNIT, differentiable=True)
def run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    batch, frames, inputs = x.shape
    if lengths is None:
        lengths = torch.full((batch,), frames)
    with torch.device("meta"):
        gru = torch.nn.GRU(inputs, h0.shape[-1], batch_first=True)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    weights = _parameters(w_ih, w_hh, b_ih, b_hh, "_l0")
    outputs, last = torch.func.functional_call(gru, weights, (packed, h0[None]))
    return pad_packed_sequence(outputs, batch_first=True, total_length=frames)[0], last[0]


def _sequence(draw: Draw, batch: int, frames: int, inputs: int, hidden: int, scale: float = 0.7):
    """Random arguments of `run_gru`, without lengths."""
    _, h0, *weights = _cell(draw, 3, batch, inputs, hidden, scale)
    return draw.normal(batch, frames, inputs), h0, *weights


@run_gru.case
def two_clips(draw: Draw):
    """Two clips of one length, no lengths given."""
    return _sequence(draw, 2, 5, 3, 4)


@run_gru.hidden_case
def many_frames(draw: Draw):
    """Many frames, no lengths given."""
    return _sequence(draw, 3, 123, 4, 6, scale=0.4)


@run_gru.hidden_case
def silence_at_the_end(draw: Draw):
    """Frames of zeros at the end, and no lengths given: they are real frames."""
    x, *rest = _sequence(draw, 2, 7, 3, 5)
    x[:, 4:] = 0.0
    return x, *rest


@run_gru.case
def clips_of_different_lengths(draw: Draw):
    """Three clips of different lengths."""
    return arguments(*_sequence(draw, 3, 6, 2, 4), lengths=torch.tensor([3, 6, 1])[draw.permutation(3)])


@run_gru.hidden_case
def lengths_by_position(draw: Draw):
    """Clips of different lengths, given by position."""
    # Sorting these takes a cycle of all four: whoever undoes it with the same order gets another order.
    return *_sequence(draw, 4, 7, 3, 5), torch.tensor([2, 7, 5, 4])


@run_gru.hidden_case(group="lengths")
def two_of_the_same_length(draw: Draw):
    """Several clips, some as long as others."""
    lengths = torch.tensor([5, 2, 5, 8, 2])[draw.permutation(5)]
    return arguments(*_sequence(draw, 5, 8, 3, 4), lengths=lengths)


@run_gru.case(group="lengths")
def padding_in_every_clip(draw: Draw):
    """No clip reaches the end: every one is padded."""
    return arguments(*_sequence(draw, 2, 7, 3, 4), lengths=torch.tensor([2, 4])[draw.permutation(2)])


@run_gru.hidden_case(group="lengths")
def one_frame_each(draw: Draw):
    """Clips of a single frame."""
    return arguments(*_sequence(draw, 3, 4, 2, 5), lengths=torch.tensor([1, 1, 1]))


@run_gru.hidden_case(group="lengths")
def all_full(draw: Draw):
    """Lengths are given, but no clip is padded."""
    return arguments(*_sequence(draw, 2, 5, 3, 4), lengths=torch.tensor([5, 5]))


def _other_padding(draw: Draw, clips: int, frames: int, inputs: int, hidden: int, scale: float):
    """Asks twice, with different numbers in the padding."""
    x, *rest = _sequence(draw, clips, frames, inputs, hidden, scale=scale)
    x = 8 * x
    lengths = draw.permutation(frames - 1)[:clips] + 1
    padding = torch.arange(frames) >= lengths[:, None]
    first = yield arguments(x, *rest, lengths=lengths)
    other = torch.where(padding[..., None], 1e3 * draw.normal(*x.shape), x)
    second = yield arguments(other, *rest, lengths=lengths)
    if not torch.equal(first.value[1], second.value[1]):
        raise Wrong("with other numbers in the padding, the last states change")
    if not torch.equal(first.value[0], second.value[0]):
        raise Wrong("with other numbers in the padding, the outputs change")
    if first.value[0][padding].any():
        raise Wrong("after the end of a clip the outputs should be zero")


@run_gru.hidden_case(group="lengths")
def frames_that_are_kept(draw: Draw):
    """A hundred and thirty frames, and gates that keep what was there at the start."""
    x, h0, w_ih, w_hh, b_ih, b_hh = _sequence(draw, 3, 130, 3, 4, scale=0.3)
    b_ih[4:8] += 4.0
    return arguments(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=torch.tensor([130, 101, 65])[draw.permutation(3)])


@run_gru.property_case(group="lengths")
def padding_changes_nothing(draw: Draw):
    """What stands in the padding changes nothing."""
    yield from _other_padding(draw, 3, 6, 2, 4, scale=0.7)


@run_gru.hidden_property_case(group="lengths")
def padding_of_many_clips_changes_nothing(draw: Draw):
    """What stands in the padding of many clips changes nothing."""
    yield from _other_padding(draw, 12, 25, 9, 7, scale=0.3)


@run_gru.hidden_case(group="lengths")
def clips_as_long_as_the_announcement(draw: Draw):
    """Sixteen clips of up to 97 frames, forty inputs and thirty-two units, as in the text."""
    lengths = draw.permutation(97)[:16] + 1
    return arguments(*_sequence(draw, 16, 97, 40, 32, scale=0.1), lengths=lengths)


@run_gru.case(group="edge")
def one_clip_of_one_frame(draw: Draw):
    """One clip of one frame."""
    return _sequence(draw, 1, 1, 3, 4)


@run_gru.hidden_case(group="edge")
def one_short_clip(draw: Draw):
    """A batch of one clip, padded."""
    return arguments(*_sequence(draw, 1, 6, 3, 4), lengths=torch.tensor([draw.integer(2, 6)]))


@run_gru.hidden_case(group="edge")
def batch_as_long_as_wide(draw: Draw):
    """As many clips as frames, as inputs, as hidden units."""
    return _sequence(draw, 4, 4, 4, 4)


@run_gru.hidden_case(group="edge")
def start_at_zero(draw: Draw):
    """The starting state is zero."""
    x, h0, *weights = _sequence(draw, 2, 5, 3, 4)
    return x, torch.zeros_like(h0), *weights


@run_gru.case(group="edge")
def gru_in_float64(draw: Draw):
    """Numbers in float64, clips of different lengths."""
    return arguments(*(one.double() for one in _sequence(draw, 2, 5, 3, 4)), lengths=torch.tensor([3, 5]))


def _states(step, x, h0, weights):
    """The states after each frame, (B, T, H)."""
    states = [h0]
    for t in range(x.shape[1]):
        states.append(step(x[:, t], states[-1], *weights))
    return torch.stack(states[1:], dim=1)


def _cut(states, h0, lengths):
    """Outputs and last states, with lengths or without."""
    if lengths is None:
        return states, states[:, -1]
    inside = torch.arange(states.shape[1]) < lengths[:, None]
    last = states[torch.arange(len(lengths)), lengths - 1]
    return torch.where(inside[..., None], states, torch.zeros_like(states)), last


@run_gru.misconception(
    "`last` is the last column of the outputs, which is zero for a clip that ended earlier.",
    hint="A clip of length 3 has its last state after frame 2. Where is that in `outputs`?",
)
def last_column(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, _ = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    return outputs, outputs[:, -1]


@run_gru.misconception(
    "The outputs are right, but `last` has run on through the padding.",
    hint="Padding is not sound. When a clip is over, its state must stay as it is.",
)
def last_after_padding(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, _ = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    return outputs, run_gru(x, h0, w_ih, w_hh, b_ih, b_hh)[1]


@run_gru.misconception(
    "The lengths are ignored: outputs and last state run on through the padding.",
    hint="What should stand in `outputs` after the end of a clip?",
)
def lengths_ignored(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    return run_gru(x, h0, w_ih, w_hh, b_ih, b_hh)


@run_gru.misconception(
    "After the end of a clip its last state is repeated in the outputs; there should be zeros.",
    hint="You froze the state, which is right for `last`. What belongs into `outputs` there?",
)
def last_state_repeated(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    if lengths is None:
        return outputs, last
    inside = torch.arange(x.shape[1]) < lengths[:, None]
    return torch.where(inside[..., None], outputs, last[:, None]), last


@run_gru.misconception(
    "`last` is right, but the outputs run on after the end of a clip.",
    hint="`outputs[b, lengths[b]:]` should be zeros.",
)
def outputs_run_on(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    _, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    return run_gru(x, h0, w_ih, w_hh, b_ih, b_hh)[0], last


@run_gru.misconception(
    "One frame too many counts as sound.",
    hint="A clip of length 1 has only frame 0. Is it t < length, or t <= length?",
)
def one_frame_too_many(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    more = None if lengths is None else (lengths + 1).clamp_max(x.shape[1])
    return run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, more)


@run_gru.misconception(
    "`last` is looked up at position `length`, one past the end.",
    hint="A clip of length 3 has frames 0, 1 and 2. Which is the last?",
)
def one_past_the_end(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    if lengths is None:
        return outputs, last
    return outputs, outputs[torch.arange(len(x)), lengths]


@run_gru.misconception(
    "The outputs are cut off after the longest clip; they should keep T columns.",
    hint="(B, T, H) whatever the lengths are. `pad_packed_sequence` has an argument for that.",
)
def cut_off_after_the_longest(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    return outputs if lengths is None else outputs[:, : lengths.max()], last


@run_gru.misconception(
    "The clips come back sorted by length, not in the order in which they were given.",
    hint="Sorting is not needed here. If a function did it for you, undo it at the end.",
)
def sorted_by_length(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    order = torch.arange(len(x)) if lengths is None else torch.argsort(lengths, descending=True, stable=True)
    return outputs[order], last[order]


@run_gru.misconception(
    "The clips are sorted by length, and sorted back with the same order; it takes the inverse one.",
    hint="If the first clip went to place 3, what belongs at place 0 on the way back? Try `argsort` of the order.",
)
def sorted_back_with_the_same_order(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    if lengths is None:
        return outputs, last
    order = torch.argsort(lengths, descending=True, stable=True)
    return outputs[order][order], last[order][order]


@run_gru.misconception(
    "The starting state h0 is ignored: it starts from zeros.",
    hint="Which state does the very first frame meet?",
)
def start_ignored(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    return run_gru(x, torch.zeros_like(h0), w_ih, w_hh, b_ih, b_hh, lengths)


@run_gru.misconception(
    "Every frame starts again from h0: nothing is remembered from frame to frame.",
    hint="The state that comes out of one step goes into the next. Which variable do you hand to the step?",
)
def never_carried(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    states = torch.stack([gru_step(x[:, t], h0, w_ih, w_hh, b_ih, b_hh) for t in range(x.shape[1])], dim=1)
    return _cut(states, h0, lengths)


@run_gru.misconception(
    "The outputs are one frame late: they hold the state before each frame, not after it.",
    hint="`outputs[:, 0]` has heard frame 0 already. Do you store the state before or after the step?",
)
def state_before_the_step(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    states = _states(gru_step, x, h0, (w_ih, w_hh, b_ih, b_hh))
    late = torch.cat([h0[:, None], states[:, :-1]], dim=1)
    return _cut(late, h0, lengths)[0], _cut(states, h0, lengths)[1]


@run_gru.misconception(
    "The outputs are (T, B, H): time comes first where the batch should.",
    hint="`torch.stack` adds its new dimension in front unless told otherwise.",
)
def time_first(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    return outputs.transpose(0, 1), last


@run_gru.misconception(
    "`last` is (1, B, H), with a dimension for layers as `nn.GRU` returns it.",
    hint="There is one layer here. The docstring's last line gives the shape of `last`.",
)
def a_dimension_for_layers(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    outputs, last = run_gru(x, h0, w_ih, w_hh, b_ih, b_hh, lengths)
    return outputs, last[None]


@run_gru.misconception(
    "It runs backwards, from the last frame to the first.",
    hint="Which frame meets h0?",
)
def backwards(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    states = _states(gru_step, x.flip(1), h0, (w_ih, w_hh, b_ih, b_hh)).flip(1)
    return _cut(states, h0, lengths)[0], states[:, 0]


@run_gru.misconception(
    "In each step the reset gate is applied before the matrix product.",
    hint="Is your `gru_step` right? Finish exercise 5.3 first, or let `torch.nn.GRUCell` take the steps.",
)
def steps_reset_before(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    return _cut(_states(reset_before_the_product, x, h0, (w_ih, w_hh, b_ih, b_hh)), h0, lengths)


@run_gru.misconception(
    "In each step z and 1 − z are exchanged.",
    hint="Is your `gru_step` right? Finish exercise 5.3 first, or let `torch.nn.GRUCell` take the steps.",
)
def steps_update_exchanged(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    return _cut(_states(update_exchanged, x, h0, (w_ih, w_hh, b_ih, b_hh)), h0, lengths)


@run_gru.misconception(
    "In each step the gates are read in the order z, r, n.",
    hint="Is your `gru_step` right? Finish exercise 5.3 first, or let `torch.nn.GRUCell` take the steps.",
)
def steps_update_gate_first(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    return _cut(_states(update_gate_first, x, h0, (w_ih, w_hh, b_ih, b_hh)), h0, lengths)


@run_gru.alternative
def frame_by_frame(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    batch, frames, _ = x.shape
    lengths = torch.full((batch,), frames) if lengths is None else lengths
    h, outputs = h0, []
    for t in range(frames):
        new = torch.gru_cell(x[:, t], h, w_ih, w_hh, b_ih, b_hh)
        inside = (t < lengths)[:, None]
        h = torch.where(inside, new, h)
        outputs.append(torch.where(inside, new, torch.zeros_like(new)))
    return torch.stack(outputs, 1), h


@run_gru.alternative
def clip_by_clip(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    rows, lasts = [], []
    for b in range(len(x)):
        end = x.shape[1] if lengths is None else int(lengths[b])
        state, seen = h0[b : b + 1], []
        for t in range(end):
            state = torch.gru_cell(x[b, t : t + 1], state, w_ih, w_hh, b_ih, b_hh)
            seen.append(state)
        seen.append(state.new_zeros(x.shape[1] - end, state.shape[1]))
        rows.append(torch.cat(seen))
        lasts.append(state)
    return torch.stack(rows), torch.cat(lasts)


@run_gru.alternative
def input_side_for_all_frames_at_once(x, h0, w_ih, w_hh, b_ih, b_hh, lengths=None):
    size = h0.shape[1]
    ahead = torch.nn.functional.linear(x, w_ih, b_ih)
    h, states = h0, []
    for mine in ahead.unbind(1):
        memory = torch.addmm(b_hh, h, w_hh.T)
        r, z = torch.sigmoid(mine[:, : 2 * size] + memory[:, : 2 * size]).chunk(2, 1)
        n = torch.tanh(mine[:, 2 * size :] + r * memory[:, 2 * size :])
        h = n - z * n + z * h
        states.append(h)
    outputs = torch.stack(states, dim=1)
    if lengths is None:
        return outputs, h
    last = outputs.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, size)).squeeze(1)
    return outputs * (torch.arange(x.shape[1]) < lengths[:, None]).to(x.dtype)[..., None], last


# -------------------------------------------------------------------------------------------------- hops_between


@exercise(unit=UNIT)
def hops_between(kind, distance, kernel=3):
    # One frame is lit. Each step lights what it can reach, until the frame at `distance` shines.
    spread = {
        "rnn": lambda lit: lit | torch.roll(lit, 1),
        "cnn": lambda lit: torch.nn.functional.max_pool1d(lit[None].float(), kernel, 1, kernel // 2)[0] > 0,
        "attention": lambda lit: lit.any().expand(len(lit)),
    }
    if kind not in spread:
        raise ValueError(f"unknown kind {kind!r}")
    lit = torch.arange(distance + 1) == 0
    hops = 0
    while not lit[distance]:
        lit, hops = spread[kind](lit), hops + 1
    return hops


@hops_between.case
def recurrent(draw: Draw):
    """A recurrent network."""
    return "rnn", draw.integer(3, 60)


@hops_between.case
def convolutions(draw: Draw):
    """Convolutions with the default kernel."""
    return "cnn", draw.integer(3, 60)


@hops_between.case
def self_attention(draw: Draw):
    """Self-attention."""
    return "attention", draw.integer(3, 60)


@hops_between.case
def wider_kernel(draw: Draw):
    """Convolutions with a wider kernel, given by name."""
    return arguments("cnn", draw.integer(4, 20) * 6 + 1, kernel=draw.choice((7, 13)))


@hops_between.hidden_case
def kernel_by_position(draw: Draw):
    """Convolutions with a wide kernel, given by position."""
    return "cnn", 8 * draw.integer(3, 9) - 1, draw.choice((9, 17))


@hops_between.hidden_case
def any_odd_kernel(draw: Draw):
    """Convolutions with any odd kernel, far apart."""
    return "cnn", draw.integer(900, 1500), 2 * draw.integer(9, 60) + 1


@hops_between.case(group="edge")
def neighbours(draw: Draw):
    """Neighbouring frames, and a kernel that reaches further."""
    return "cnn", 1, draw.choice((5, 7, 9))


@hops_between.hidden_case(group="edge")
def within_one_layer(draw: Draw):
    """Two frames apart, and a kernel that reaches further."""
    return "cnn", 2, draw.choice((9, 11, 41))


@hops_between.hidden_case(group="edge")
def neighbours_and_the_narrowest_kernel(draw: Draw):
    """Neighbouring frames, and the default kernel."""
    return "cnn", 1


@hops_between.case(group="edge")
def recurrent_whatever_the_kernel(draw: Draw):
    """A recurrent network, whatever the kernel."""
    return arguments("rnn", draw.integer(4, 60), kernel=draw.choice((5, 7)))


@hops_between.case(group="edge")
def attention_whatever_the_kernel(draw: Draw):
    """Attention, whatever the kernel."""
    return "attention", draw.integer(4, 60), draw.choice((5, 7))


@hops_between.case(group="edge")
def exactly_as_far_as_the_layers_reach(draw: Draw):
    """A distance that an even number of layers reaches exactly."""
    reach = draw.choice((2, 3, 4))
    return "cnn", 2 * draw.integer(1, 5) * reach, 2 * reach + 1


@hops_between.hidden_case(group="edge")
def exactly_as_far_as_an_odd_number_reaches(draw: Draw):
    """A distance that an odd number of layers reaches exactly."""
    reach = draw.choice((5, 6, 7))
    return "cnn", (2 * draw.integer(1, 5) + 1) * reach, 2 * reach + 1


@hops_between.case(group="edge")
def one_frame_further(draw: Draw):
    """One frame further than some number of layers reaches."""
    layers, reach = draw.integer(2, 9), draw.choice((3, 4, 5))
    return "cnn", layers * reach + 1, 2 * reach + 1


@hops_between.hidden_case(group="edge")
def within_the_width_of_the_kernel(draw: Draw):
    """Further than the kernel reaches, but no further than it is wide."""
    reach = draw.choice((2, 3, 4, 5))
    return "cnn", draw.integer(reach + 1, 2 * reach + 1), 2 * reach + 1


@hops_between.hidden_case(group="edge")
def thirty_seconds(draw: Draw):
    """The two ends of half a minute."""
    return "cnn", draw.integer(1400, 1500)


@hops_between.hidden_case(group="edge")
def recurrent_over_thirty_seconds(draw: Draw):
    """The two ends of half a minute, for a recurrent network."""
    return "rnn", draw.integer(1400, 1500)


@hops_between.hidden_case(group="edge")
def attention_over_thirty_seconds(draw: Draw):
    """The two ends of half a minute, for attention, whatever the kernel."""
    return "attention", draw.integer(1400, 1500), 5


@hops_between.case(group="errors")
def unknown_kind(draw: Draw):
    """A kind that it does not know."""
    return draw.choice(("transformer", "mlp", "fourier")), draw.integer(1, 20)


@hops_between.hidden_case(group="errors")
def another_unknown_kind(draw: Draw):
    """A kind that only resembles one it knows, with a kernel."""
    return arguments(draw.choice(("conv", "recurrent", "attn")), draw.integer(1, 20), kernel=5)


@hops_between.hidden_case(group="errors")
def a_longer_name(draw: Draw):
    """A kind whose name holds the name of one it knows, or nearly."""
    return draw.choice(("rnn2", "self-attention", "dnn")), draw.integer(1, 20)


@hops_between.hidden_case(group="errors")
def capital_letters(draw: Draw):
    """A kind in capital letters, which is another name."""
    return draw.choice(("RNN", "CNN", "ATTENTION")), draw.integer(1, 20)


@hops_between.hidden_case(group="errors")
def no_kind(draw: Draw):
    """No kind at all: the empty string."""
    return "", draw.integer(1, 20)


def _layers(formula: Callable[[int, int], float]):
    """A wrong formula for convolutions, with the other kinds as they should be."""

    def wrong(kind, distance, kernel=3):
        return formula(distance, kernel) if kind == "cnn" else hops_between(kind, distance)

    wrong.__name__ = formula.__name__
    return wrong


@hops_between.misconception(
    "It divides by the whole width of the kernel less one; but half of the kernel looks the other way.",
    hint="A kernel of 3 centred on a frame reaches one frame to the left. How far does a kernel of 5 reach?",
)
@_layers
def both_sides_counted(distance, kernel):
    return math.ceil(distance / (kernel - 1))


@hops_between.misconception(
    "It divides by the whole width of the kernel less one, and rounds down. But half of the kernel looks the other "
    "way, and half a layer does not exist.",
    hint="A kernel of 3 centred on a frame reaches one frame to the left. How many layers does it take to get 3 far?",
)
@_layers
def both_sides_rounded_down(distance, kernel):
    return distance // (kernel - 1)


@hops_between.misconception(
    "It divides by the whole width of the kernel less one, rounds down and adds one. But half of the kernel looks the "
    "other way; and the one is too much where the division comes out even.",
    hint="A kernel of 3 centred on a frame reaches one frame to the left. How many layers does it take to get 4 far?",
)
@_layers
def both_sides_and_one_more(distance, kernel):
    return distance // (kernel - 1) + 1


@hops_between.misconception(
    "It divides by the size of the kernel.",
    hint="A kernel of 3 is centred on its frame. Can it see a frame three steps away?",
)
@_layers
def divided_by_the_kernel(distance, kernel):
    return math.ceil(distance / kernel)


@hops_between.misconception(
    "It divides by the size of the kernel, and rounds down: that is how often the kernel fits side by side.",
    hint="A kernel of 3 is centred on its frame. How far to one side can it see, and do two layers of it get 3 far?",
)
@_layers
def kernels_side_by_side(distance, kernel):
    return distance // kernel


@hops_between.misconception(
    "The frame in the middle of the kernel is counted as reach.",
    hint="A kernel of 3 covers the frame itself and one to each side. How far away is the furthest that it sees?",
)
@_layers
def middle_counted(distance, kernel):
    return math.ceil(distance / ((kernel + 1) // 2))


@hops_between.misconception(
    "The frame in the middle of the kernel is counted as reach, and the result is rounded down.",
    hint="A kernel of 3 covers the frame itself and one to each side. How far away is the furthest that it sees?",
)
@_layers
def middle_counted_rounded_down(distance, kernel):
    return distance // ((kernel + 1) // 2)


@hops_between.misconception(
    "It rounds down: so many layers come near, but do not arrive.",
    hint="Two layers that reach 3 frames each do not get 7 frames far. How many do?",
)
@_layers
def rounded_down(distance, kernel):
    return distance // ((kernel - 1) // 2)


@hops_between.misconception(
    "It rounds to the nearest whole number; where that is down, so many layers do not arrive.",
    hint="Two layers that reach 3 frames each do not get 7 frames far, though 7 / 3 is nearer to 2 than to 3.",
)
@_layers
def rounded_to_nearest(distance, kernel):
    return round(distance / ((kernel - 1) // 2))


@hops_between.misconception(
    "A + 1 is missing: (distance − 1) divided by the reach and rounded down is one layer short.",
    hint="From frame 0 to frame 1 it takes one layer. What does your formula give for a distance of 1?",
)
@_layers
def one_layer_short(distance, kernel):
    return (distance - 1) // ((kernel - 1) // 2)


@hops_between.misconception(
    "It rounds down and adds one, which is one layer too many where the distance comes out even.",
    hint="Two layers that reach 3 frames each get exactly 6 frames far. What do you give for 6?",
)
@_layers
def always_one_more(distance, kernel):
    return distance // ((kernel - 1) // 2) + 1


@hops_between.misconception(
    "It rounds up and adds one: a layer too many, always.",
    hint="A kernel of 3 reaches the next frame. How many layers do you give for a distance of 1?",
)
@_layers
def rounded_up_and_one_more(distance, kernel):
    return math.ceil(distance / ((kernel - 1) // 2)) + 1


@hops_between.misconception(
    "It lets the reach grow with a power of the kernel from layer to layer; that takes strides or dilation.",
    hint="Draw two layers of kernel 3 on paper. From how far away does the second one hear?",
)
@_layers
def growing_reach(distance, kernel):
    layers = 0
    while (kernel**layers - 1) // 2 < distance:
        layers += 1
    return layers


@hops_between.misconception(
    "The kernel is always taken as 3.",
    hint="Call it with `kernel=7`: does the answer change?",
)
@_layers
def kernel_ignored(distance, kernel):
    return distance


@hops_between.misconception(
    "Attention is counted like a recurrent network, step by step.",
    hint="How many frames does one attention layer let a frame look at?",
)
def attention_step_by_step(kind, distance, kernel=3):
    return distance if kind == "attention" else hops_between(kind, distance, kernel)


@hops_between.misconception(
    "A recurrent network is given one step too many: both ends are counted.",
    hint="From frame 0 to frame 1 it is one step.",
)
def fence_posts(kind, distance, kernel=3):
    return distance + 1 if kind == "rnn" else hops_between(kind, distance, kernel)


@hops_between.misconception(
    "It counts the frames in between, not the steps.",
    hint="From frame 0 to frame 1 is one step, and no frame lies in between.",
)
def frames_in_between(kind, distance, kernel=3):
    return distance - 1 if kind == "rnn" else hops_between(kind, distance, kernel)


@hops_between.misconception(
    "The recurrent network is given the reach of a kernel; it has none, it moves frame by frame.",
    hint="Which of the three kinds has a kernel at all?",
)
def recurrent_with_a_kernel(kind, distance, kernel=3):
    return hops_between("cnn" if kind == "rnn" else kind, distance, kernel)


@hops_between.misconception(
    "An unknown kind is taken for one of the three.",
    hint='What does your last branch do with "mlp"? The docstring says what to raise.',
)
def no_error(kind, distance, kernel=3):
    return 1 if kind not in ("rnn", "cnn") else hops_between(kind, distance, kernel)


@hops_between.misconception(
    "An unknown kind raises a KeyError, which comes from looking it up; a ValueError is asked for.",
    hint="Ask `if kind not in …` before you look it up.",
)
def key_error(kind, distance, kernel=3):
    reach = (kernel - 1) // 2
    return {"rnn": distance, "cnn": -(-distance // reach), "attention": 1}[kind]


@hops_between.misconception(
    "It returns a float, and not always a whole number of layers.",
    hint="There is no half layer. Which function rounds up and gives an int?",
)
@_layers
def fraction_of_a_layer(distance, kernel):
    return distance / ((kernel - 1) // 2)


@hops_between.alternative
def rounded_up(kind, distance, kernel=3):
    if kind == "rnn":
        return distance
    if kind == "attention":
        return 1
    if kind == "cnn":
        return math.ceil(distance / ((kernel - 1) // 2))
    raise ValueError("the kinds are rnn, cnn and attention")


@hops_between.alternative
def by_table(kind, distance, kernel=3):
    reach = {"rnn": 1, "cnn": kernel // 2, "attention": distance}
    if kind not in reach:
        raise ValueError(kind)
    return -(-distance // reach[kind])


@hops_between.alternative
def layer_by_layer(kind, distance, kernel=3):
    if kind not in ("rnn", "cnn", "attention"):
        raise ValueError(f"{kind} is neither rnn nor cnn nor attention")
    step = 1 if kind == "rnn" else (kernel - 1) // 2 if kind == "cnn" else distance
    hops = 0
    while distance > 0:
        distance, hops = distance - step, hops + 1
    return hops
