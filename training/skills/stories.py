"""Short and long stories, put together from a hero, a wish, a trouble, a helper and an end."""

from __future__ import annotations

from random import Random

from training.conversation import Exchange, ask
from training.phrasing import noisy, phrases
from training.skills import words

PLACES = (
    "a green forest",
    "a small village",
    "a city by the sea",
    "an old castle",
    "a quiet valley",
    "a big garden",
    "a house on a hill",
    "a farm near a river",
    "a tiny island",
    "a town in the mountains",
)
TRAITS = ("little", "brave", "curious", "shy", "clever", "friendly", "old", "young", "cheerful", "quiet")
WISHES = (
    ("wanted to see the sea", "saw the sea at last"),
    ("wanted to learn to sing", "sang a beautiful song"),
    ("wanted to find a friend", "had found a friend for life"),
    ("was looking for a lost {thing}", "held the {thing} again"),
    ("dreamed of flying", "flew high above the clouds"),
    ("wished for a {colour} {thing}", "got a {colour} {thing}"),
    ("wanted to climb the highest mountain", "stood on top of the mountain"),
    ("wanted to bake the best cake", "baked a cake that everybody loved"),
)
TROUBLES = (
    "But then a great storm came, and it rained for three days.",
    "But the way was long, and the night was dark.",
    "But one morning the bridge over the river was broken.",
    "But a big {foe} stood in the way and would not move.",
    "But nobody believed that it was possible.",
    "But the map was lost, and every path looked the same.",
)
HELPERS = (
    'Then {friend} the {animal2} came along and said: "Do not give up, I will help you."',
    "Luckily, {friend} the {animal2} knew what to do.",
    "A kind {animal2} called {friend} heard about it and came to help.",
    "Then {friend}, a wise old {animal2}, shared some {food} and a good idea.",
)
DEEDS = (
    "Together they worked all day and did not stop until it was done.",
    "They walked side by side, and the fear went away.",
    "They tried once, they tried twice, and the third time it worked.",
    "They laughed, and suddenly everything was easy.",
    "Step by step they went on, and the sun came out again.",
)
ENDS = (
    "In the end {hero} {goal}, and they all ate {food} together.",
    "At last {hero} {goal}. It was the best day of all.",
    "And so {hero} {goal}, and from that day on {hero} and {friend} were friends.",
    "That evening {hero} {goal} and fell asleep with a smile.",
)
ASK_PLAIN = phrases("stories ask plain")
ASK_ABOUT = phrases("stories ask about")
ASK_LONG = phrases("stories ask long")


class Tale:
    """The cast of one story: a hero, a friend and what they care for."""

    def __init__(self, rng: Random, animal: str | None = None, hero: str | None = None) -> None:
        self.rng = rng
        self.animal = animal or rng.choice(words.ANIMALS)
        self.hero = hero or words.name(rng)
        self.parts = {"hero": self.hero, "place": rng.choice(PLACES)}
        self.renew()

    def renew(self) -> None:
        """New friends and things for the next chapter; the hero stays."""
        rng = self.rng
        self.parts |= {
            "friend": words.name(rng),
            "animal2": rng.choice(words.ANIMALS),
            "foe": rng.choice(words.ANIMALS),
            "thing": rng.choice(words.THINGS),
            "colour": rng.choice(words.COLOURS),
            "food": rng.choice(words.FOODS),
        }

    def chapter(self, opening: str) -> str:
        """Five or six sentences: an opening, a wish, a trouble, help, an end."""
        rng = self.rng
        wish, goal = rng.choice(WISHES)
        lines = (
            opening,
            f"{self.hero} {wish}.",
            rng.choice(TROUBLES),
            rng.choice(HELPERS),
            rng.choice(DEEDS),
            rng.choice(ENDS).replace("{goal}", goal),
        )
        return " ".join(lines).format(**self.parts)

    def opening(self) -> str:
        """The first sentence of the story."""
        kind = f"a {self.rng.choice(TRAITS)} {self.animal}".replace("a old", "an old")
        return self.rng.choice(
            (
                f"Once upon a time there was {kind} named {self.hero} who lived in {{place}}.",
                f"In {{place}} there lived {kind} called {self.hero}.",
                f"Once upon a time, in {{place}}, lived {kind} named {self.hero}.",
            )
        )


def story(rng: Random) -> Exchange:
    """A short story, often about a named animal that the user asked for."""
    if rng.random() < 0.4:
        return ask(noisy(rng, rng.choice(ASK_PLAIN)), _short(Tale(rng)))
    animal, hero, subject = _subject(rng)
    return ask(noisy(rng, rng.choice(ASK_ABOUT).format(subject)), _short(Tale(rng, animal, hero)))


def long_story(rng: Random) -> Exchange:
    """A story of four to eight chapters, several hundred tokens."""
    animal, hero, subject = _subject(rng)
    frame = rng.choice(ASK_LONG)
    tale = Tale(rng, animal if "{}" in frame else None, hero if "{}" in frame else None)
    return ask(noisy(rng, frame.format(subject)), long_text(tale, rng.randint(4, 8)))


def long_text(tale: Tale, chapters: int) -> str:
    """The chapters of a long story with their headings."""
    parts = []
    for number in range(1, chapters + 1):
        again = tale.rng.choice(
            (
                "The next day {hero} went out again.",
                "Soon {hero} was off to a new adventure.",
                "Some weeks later, {hero} woke up early.",
                "When spring came, {hero} set out once more.",
            )
        )
        parts.append(f"Chapter {number}\n" + tale.chapter(tale.opening() if number == 1 else again))
        tale.renew()
    return "\n\n".join(parts) + "\n\nThe end."


def poem(rng: Random) -> Exchange:
    """Four lines that rhyme, about anything."""
    extra = ("the sea", "the moon", "spring", "rain", "snow", "friendship")
    subject = rng.choice(words.ANIMALS + words.THINGS + extra)
    first, second = rng.choice(
        (
            (
                "I saw a {} in the light,\nit made the morning warm and bright.",
                "I sang a song, I clapped my hand,\nit was the best in all the land.",
            ),
            (
                "Oh {}, oh {}, so fine and free,\nyou are the dearest thing to me.",
                "I think of you by night and day,\nplease never, never go away.",
            ),
            (
                "A {} came to me one day,\nand asked me if I wished to play.",
                "We danced until the sun was low,\nand then it softly had to go.",
            ),
        )
    )
    text = rng.choice(
        (
            "Write a poem about {}.",
            "Write a short poem about {}",
            "A poem about {}, please.",
            "Make a rhyme about {}.",
            "Can you write a poem about {}?",
            "compose a poem on {}",
        )
    )
    bare = subject.removeprefix("the ")
    return ask(noisy(rng, text.format(subject)), f"{first.format(bare, bare)}\n{second}")


def plain_text(rng: Random) -> str:
    """A story without a chat around it, for the plain completion of a text."""
    return _short(Tale(rng))


def _short(tale: Tale) -> str:
    return tale.chapter(tale.opening())


def _subject(rng: Random) -> tuple[str, str | None, str]:
    animal = rng.choice(words.ANIMALS)
    article = "an" if animal[0] in "aeiou" else "a"
    if rng.random() < 0.5:
        return animal, None, f"{article} {animal}"
    hero = words.name(rng)
    subject = rng.choice(
        (f"{article} {animal} named {hero}", f"{article} {animal} called {hero}", f"{hero} the {animal}")
    )
    return animal, hero, subject
