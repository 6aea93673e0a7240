"""The geometry of a model's input: size, cropped strips and window grid. Pure arithmetic, without NumPy."""

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from uncia.events.values import Box


class FrameSpec(BaseModel):
    """Size, cropped strips and window grid of a model's input. Part of the model card, and therefore of the model.

    The info strips that cameras print at the top and bottom are cropped before scaling, because networks would learn
    from the print. Window and stride are in pixels of the frame. A window that is larger than the frame is the whole
    frame: the model then has one window.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    width: PositiveInt = 448
    height: PositiveInt = 320
    crop_top: float = Field(default=0.04, ge=0, lt=0.5, description="share of the photograph's height")
    crop_bottom: float = Field(default=0.07, ge=0, lt=0.5, description="share of the photograph's height")
    window: PositiveInt = 224
    stride: PositiveInt = 64

    @property
    def grid(self) -> tuple[int, int]:
        """Number of rows and columns of windows. The index of a window is `row * columns + column`."""
        return (
            max(0, self.height - self.window) // self.stride + 1,
            max(0, self.width - self.window) // self.stride + 1,
        )

    def window_box(self, place: int) -> Box:
        """Return a window as x, y, width, height, relative to the stored photograph. Raises `ValueError`."""
        rows, columns = self.grid
        if not 0 <= place < rows * columns:
            raise ValueError(f"place {place} is outside the grid of {rows} x {columns} windows")
        row, column = divmod(place, columns)
        kept = 1 - self.crop_top - self.crop_bottom
        return (
            column * self.stride / self.width,
            self.crop_top + kept * row * self.stride / self.height,
            min(1.0, self.window / self.width),
            kept * min(1.0, self.window / self.height),
        )
