"""Values that several events share: a box in a photograph, and a vector of class probabilities."""

import base64
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, PositiveInt, WithJsonSchema
from typing_extensions import TypeAliasType

from uncia.events.base import WireModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = TypeAliasType(
    "Box",
    Annotated[
        tuple[float, float, float, float],
        WithJsonSchema(
            {
                "type": "array",
                "items": {"type": "number"},
                "minItems": 4,
                "maxItems": 4,
                "description": "x, y, width, height, relative to the photograph's width and height; origin at the top "
                "left.",
            }
        ),
    ],
)
"""x, y, width, height, relative to the photograph's width and height; origin at the top left."""


class ClassVector(WireModel):
    """Probabilities of all classes as little-endian float16 in base64; 1,000 classes take 2.7 KB."""

    length: PositiveInt
    f16: str

    @classmethod
    def pack(cls, values: "NDArray[np.floating]") -> Self:
        """Pack a vector of shape (classes,)."""
        raw = values.astype("<f2").tobytes()
        return cls(length=values.shape[0], f16=base64.b64encode(raw).decode())

    def unpack(self) -> "NDArray[np.float32]":
        """Return the vector as float32 of shape (classes,)."""
        import numpy as np

        vector = np.frombuffer(base64.b64decode(self.f16), dtype="<f2").astype(np.float32)
        if vector.shape != (self.length,):
            raise ValueError(f"the class vector has {vector.shape[0]} values, but its length is {self.length}")
        return vector


class LuminanceGrid(WireModel):
    """Mean grey values of a photograph in cells of equal size, row by row: enough to see what moved between frames of
    a burst, too coarse to recognise a person."""

    columns: PositiveInt
    rows: PositiveInt
    u8: str = Field(max_length=20_000, description="base64 of `rows * columns` bytes")

    @classmethod
    def pack(cls, values: "NDArray[np.uint8]") -> Self:
        """Pack grey values of shape (rows, columns)."""
        return cls(rows=values.shape[0], columns=values.shape[1], u8=base64.b64encode(values.tobytes()).decode())

    def unpack(self) -> "NDArray[np.uint8]":
        """The grey values, uint8, shape (rows, columns). Raises `ValueError` where their number is wrong."""
        import numpy as np

        values = np.frombuffer(base64.b64decode(self.u8), dtype=np.uint8)
        if values.size != self.rows * self.columns:
            raise ValueError(f"a luminance grid of {self.rows} x {self.columns} holds {values.size} values")
        return values.reshape(self.rows, self.columns)
