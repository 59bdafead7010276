"""The ten breeds as data: the colours, markings and proportions of each."""

from dataclasses import dataclass, field
from typing import Literal

from sample_dogs.scene import Colour

Texture = Literal["smooth", "shaggy", "curly"]
Ears = Literal["pricked", "tipped", "folded", "floppy", "long"]
Tail = Literal["curled", "over_back", "plume", "sabre", "thin", "docked", "pompom"]
Marking = Literal[
    "spots",
    "brindle",
    "saddle",
    "pale_belly",
    "pale_chest",
    "collar",
    "blaze",
    "dark_muzzle",
    "husky_face",
    "wrinkles",
    "tan_points",
]

WHITE: Colour = (246, 243, 237)
BLACK: Colour = (47, 44, 49)


@dataclass(frozen=True, kw_only=True, slots=True)
class Breed:
    """One breed. The unit of length is the height at the withers of a medium-sized dog."""

    name: str
    """Name of the folder, and the label."""
    coat: Colour
    """Main colour, before the lighting of the photo is applied."""
    marking_colour: Colour = BLACK
    """Colour of spots, stripes and saddle."""
    torso: Colour | None = None
    """Only if it differs from the coat, as for the next four."""
    ears_colour: Colour | None = None
    muzzle_colour: Colour | None = None
    feet: Colour | None = None
    tail_tip: Colour | None = None
    markings: frozenset[Marking] = field(default_factory=frozenset)
    texture: Texture = "smooth"
    fluff: float = 1.0
    """Length of the hair of a shaggy coat."""
    ears: Ears = "floppy"
    ear_size: float = 1.0
    tail: Tail = "sabre"
    eyes: Colour = (92, 58, 34)
    leg: float = 0.52
    """From the ground to the belly."""
    depth: float = 0.46
    """From the belly to the back."""
    length: float = 1.05
    """From the chest to the rump."""
    tuck: float = 0.08
    """How far the belly rises towards the loin."""
    bone: float = 1.0
    """Thickness of legs, neck and tail."""
    neck: float = 0.3
    head_size: float = 0.52
    """Width of the skull."""
    muzzle_length: float = 0.45
    """In skull widths, from the eyes to the nose."""
    muzzle_width: float = 1.0
    cheeks: float = 1.0
    """Width of the face at the cheeks."""


BREEDS: tuple[Breed, ...] = (
    Breed(
        name="Beagle",
        coat=(198, 124, 62),
        torso=WHITE,
        ears_colour=(158, 88, 42),
        muzzle_colour=WHITE,
        feet=WHITE,
        tail_tip=WHITE,
        markings=frozenset({"saddle", "blaze", "pale_chest"}),
        ears="long",
        tail="sabre",
        leg=0.42,
        depth=0.46,
        length=1.05,
    ),
    Breed(
        name="Border_collie",
        coat=(46, 44, 50),
        muzzle_colour=WHITE,
        feet=WHITE,
        tail_tip=WHITE,
        markings=frozenset({"blaze", "collar", "pale_chest"}),
        texture="shaggy",
        ears="tipped",
        tail="plume",
        leg=0.5,
        depth=0.5,
        length=1.12,
        muzzle_length=0.52,
        muzzle_width=0.85,
    ),
    Breed(
        name="Boxer",
        coat=(178, 118, 66),
        marking_colour=(66, 43, 33),
        muzzle_colour=(52, 44, 44),
        feet=WHITE,
        markings=frozenset({"brindle", "dark_muzzle", "pale_chest"}),
        ears="folded",
        tail="docked",
        leg=0.56,
        depth=0.5,
        length=0.98,
        tuck=0.16,
        bone=1.12,
        head_size=0.54,
        muzzle_length=0.28,
        muzzle_width=1.25,
    ),
    Breed(
        name="Dachshund",
        coat=(70, 48, 42),
        marking_colour=(196, 118, 58),
        muzzle_colour=(196, 118, 58),
        feet=(196, 118, 58),
        markings=frozenset({"tan_points"}),
        ears="long",
        tail="thin",
        leg=0.17,
        depth=0.38,
        length=1.5,
        tuck=0.05,
        bone=0.9,
        neck=0.26,
        head_size=0.42,
        muzzle_length=0.72,
        muzzle_width=0.78,
        cheeks=0.84,
    ),
    Breed(
        name="Dalmatian",
        coat=(248, 247, 243),
        ears_colour=(52, 49, 54),
        markings=frozenset({"spots"}),
        ears="floppy",
        tail="thin",
        leg=0.6,
        depth=0.43,
        length=1.06,
        tuck=0.13,
        bone=0.92,
        neck=0.36,
        head_size=0.48,
        muzzle_length=0.52,
        muzzle_width=0.9,
        cheeks=0.94,
    ),
    Breed(
        name="Golden_retriever",
        coat=(222, 164, 82),
        ears_colour=(196, 132, 58),
        muzzle_colour=(236, 190, 118),
        markings=frozenset({"pale_belly"}),
        texture="shaggy",
        fluff=0.85,
        ears="floppy",
        tail="plume",
        leg=0.5,
        depth=0.52,
        length=1.14,
        bone=1.1,
        head_size=0.54,
        muzzle_length=0.48,
        muzzle_width=1.08,
    ),
    Breed(
        name="Poodle",
        coat=(224, 162, 126),
        muzzle_colour=(232, 182, 150),
        texture="curly",
        ears="long",
        tail="pompom",
        leg=0.62,
        depth=0.42,
        length=0.88,
        tuck=0.12,
        bone=0.85,
        neck=0.4,
        head_size=0.46,
        muzzle_length=0.66,
        muzzle_width=0.7,
        cheeks=0.9,
    ),
    Breed(
        name="Pug",
        coat=(226, 194, 150),
        ears_colour=(64, 54, 52),
        muzzle_colour=(66, 56, 54),
        markings=frozenset({"dark_muzzle", "wrinkles"}),
        ears="folded",
        ear_size=0.84,
        tail="curled",
        leg=0.32,
        depth=0.5,
        length=0.86,
        tuck=0.03,
        bone=1.05,
        neck=0.16,
        head_size=0.62,
        muzzle_length=0.08,
        muzzle_width=1.15,
        cheeks=1.08,
    ),
    Breed(
        name="Samoyed",
        coat=(250, 247, 240),
        texture="shaggy",
        fluff=1.45,
        ears="pricked",
        ear_size=0.74,
        tail="over_back",
        leg=0.44,
        depth=0.56,
        length=1.02,
        bone=1.2,
        neck=0.26,
        head_size=0.58,
        muzzle_length=0.3,
        muzzle_width=0.95,
        cheeks=1.2,
    ),
    Breed(
        name="Siberian_husky",
        coat=(104, 112, 126),
        muzzle_colour=WHITE,
        feet=WHITE,
        markings=frozenset({"husky_face", "pale_belly", "pale_chest"}),
        texture="shaggy",
        ears="pricked",
        tail="sabre",
        eyes=(86, 170, 226),
        leg=0.52,
        depth=0.48,
        length=1.06,
        bone=1.05,
        head_size=0.52,
        muzzle_length=0.42,
        muzzle_width=0.88,
        cheeks=1.06,
    ),
)
"""In alphabetical order, which is also the order of the classifier's labels."""
