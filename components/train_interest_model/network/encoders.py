"""Sequence encoders with one interface: whole sequences for training, incremental states for serving."""

from typing import Any, Final

import keras
import tensorflow as tf

from components.train_interest_model.network import lstm_cpu_kernel

LAYERS: Final = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}


class Encoder(keras.layers.Layer):  # type: ignore[misc]
    """A causal encoder: the output at a position does not depend on later inputs."""

    compiled = False
    units: int
    state_size: int  # size of a user's state, whose first `units` numbers are the last output

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Map [batch, length, features] and the initial state to outputs [batch, length, units]."""
        raise NotImplementedError

    @property
    def start_size(self) -> int:
        """The size of what `start` takes."""
        return self.state_size

    def start(self, values: tf.Tensor) -> tf.Tensor:
        """Map [batch, start_size] to the state [batch, state_size] before the first input."""
        return values

    def serving_weights(self) -> list[tf.Variable]:
        """Return the variables that `advance` reads, for the export."""
        return [variable.value for variable in self.variables]

    def advance(self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the outputs [batch, length, units], and the state after the first `lengths` inputs.

        Args:
            inputs: [batch, length, features] float32, right-padded, length at least 1.
            state: [batch, state_size] float32, zeros at the start of a sequence.
            lengths: [batch] int32.
        """
        raise NotImplementedError


class RecurrentEncoder(Encoder):
    """An LSTM, GRU or simple RNN; uses cuDNN's kernels if Keras finds them."""

    def __init__(
        self, kind: str, units: int, on_cpu: bool = False, compiled: bool = False, **options: Any
    ) -> None:
        """`on_cpu`: run an LSTM with the kernel for CPUs, in float32; `compiled`: with XLA too."""
        super().__init__(**options)
        self.on_cpu = on_cpu and kind == "lstm"
        self.compiled = self.on_cpu and compiled
        self.layer = LAYERS[kind](
            units, return_sequences=True, return_state=True, name=kind, dtype=self.dtype_policy
        )
        self.kernels: tf.Variable | None = None
        self.units = units
        self.state_size = units * (2 if kind == "lstm" else 1)

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.layer.build(shape)
        self.built = True

    def serving_weights(self) -> list[tf.Variable]:
        if not isinstance(self.layer, keras.layers.LSTM):
            return super().serving_weights()
        # Concatenated once: at each call it would take longer than three steps of the LSTM.
        self.kernels = tf.Variable(self._lstm_kernels())
        return [self.kernels, self.layer.cell.bias.value]

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        parts = tf.split(state, self.state_size // self.units, axis=1)
        if self.on_cpu:
            h, c = parts
            kernel, recurrent, bias = map(tf.convert_to_tensor, self._lstm_weights())
            return lstm_cpu_kernel.lstm(inputs, h, c, kernel, recurrent, bias, self.compiled)
        return self.layer(inputs, initial_state=parts)[0]

    def advance(self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if isinstance(self.layer, keras.layers.LSTM):
            return self._advance_lstm(inputs, state, lengths)
        # A masked step does not change the state. cuDNN is chosen at tracing time, and a function traced
        # on a GPU would fail on a CPU.
        self.layer.use_cudnn = False
        mask = tf.sequence_mask(lengths, tf.shape(inputs)[1])
        outputs, after = self.layer(inputs, mask=mask, initial_state=state)
        return outputs, after

    def _advance_lstm(
        self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Use TensorFlow's fused kernel: one operation per sequence instead of twenty per step."""
        h, c = tf.split(state, 2, axis=1)
        peephole = tf.zeros([self.units])
        steps = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.cast(tf.reduce_max(lengths), tf.int64),
            x=tf.transpose(inputs, [1, 0, 2]),
            cs_prev=c,
            h_prev=h,
            w=self._lstm_kernels() if self.kernels is None else self.kernels,
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            b=self.layer.cell.bias.value,
            cell_clip=0.0,
            use_peephole=False,
        )
        ends = tf.stack([tf.maximum(lengths - 1, 0), tf.range(tf.shape(inputs)[0])], axis=1)
        last = tf.concat([tf.gather_nd(steps.h, ends), tf.gather_nd(steps.cs, ends)], axis=1)
        return tf.transpose(steps.h, [1, 0, 2]), tf.where(lengths[:, None] > 0, last, state)

    def _lstm_weights(self) -> list[tf.Variable]:
        return [variable.value for variable in self.layer.cell.trainable_variables]

    def _lstm_kernels(self) -> tf.Tensor:
        cell = self.layer.cell
        return tf.concat([cell.kernel.value, cell.recurrent_kernel.value], axis=0)


class ConvolutionalEncoder(Encoder):
    """Causal convolutions of width 3 with residuals; the dilation doubles from layer to layer."""

    WIDTH = 3

    def __init__(self, units: int, layers: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.entry = keras.layers.Dense(units, name="entry", dtype=self.dtype_policy)
        self.dilations = [2**layer for layer in range(layers)]
        self.convolutions = [
            keras.layers.Conv1D(
                units,
                self.WIDTH,
                dilation_rate=dilation,
                activation="relu",
                name=f"conv_{dilation}",
                dtype=self.dtype_policy,
            )
            for dilation in self.dilations
        ]
        self.spans = [(self.WIDTH - 1) * dilation for dilation in self.dilations]
        self.state_size = units * (1 + sum(self.spans))

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.entry.build(shape)
        for convolution in self.convolutions:
            convolution.build((None, None, self.units))
        self.built = True

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        _, *buffers = self._split(state)
        x = self.entry(inputs)
        for span, convolution, buffer in zip(self.spans, self.convolutions, buffers, strict=True):
            x = x + convolution(tf.concat([tf.reshape(buffer, [-1, span, self.units]), x], axis=1))
        return x

    def advance(self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Advance the state, which has each layer's last inputs, as many as its next output reads."""
        last, *buffers = self._split(state)
        x = self.entry(inputs)
        new_buffers = []
        for span, convolution, buffer in zip(self.spans, self.convolutions, buffers, strict=True):
            extended = tf.concat([tf.reshape(buffer, [-1, span, self.units]), x], axis=1)
            positions = lengths[:, None] + tf.range(span)
            newest = tf.gather(extended, positions, batch_dims=1)
            new_buffers.append(tf.reshape(newest, [-1, self.units * span]))
            x = x + convolution(extended)
        output = tf.gather(x, tf.maximum(lengths - 1, 0), batch_dims=1)
        return x, tf.concat([tf.where(lengths[:, None] > 0, output, last), *new_buffers], axis=1)

    def _split(self, state: tf.Tensor) -> list[tf.Tensor]:
        parts: list[tf.Tensor] = tf.split(state, [self.units, *(self.units * s for s in self.spans)], axis=1)
        return parts


def make_encoder(
    kind: str,
    units: int,
    layers: int,
    on_cpu: bool = False,
    compiled: bool = False,
    name: str = "encoder",
    **options: Any,
) -> Encoder:
    """Create an encoder; `kind`: lstm, gru, rnn or cnn; `on_cpu`, `compiled` as in RecurrentEncoder."""
    if kind == "cnn":
        return ConvolutionalEncoder(units, layers, name=name, **options)
    return RecurrentEncoder(kind, units, on_cpu, compiled, name=name, **options)
