"""Tools that do something, or look something up in a business: messages, timers, orders, bookings."""

from __future__ import annotations

from training.skills import words
from training.skills.toolkit import Kind, Parameter

ACTION_KINDS = (
    Kind(
        ("send_email", "send_message", "send_mail", "message", "notify"),
        ("Send a message to a person", "Send an email"),
        (
            Parameter(
                "name",
                (
                    "to",
                    "recipient",
                    "name",
                    "person",
                ),
            ),
            Parameter(
                "text",
                (
                    "text",
                    "message",
                    "body",
                    "content",
                ),
            ),
        ),
        (
            "Send {name} the message {text}",
            "Tell {name}: {text}",
            "Write to {name}: {text}",
            "Email {name} {text}",
            "Message {name} and say {text}",
        ),
        lambda rng, v: {"status": rng.choice(("sent", "ok"))},
        "Your message to {name} was sent.",
    ),
    Kind(
        (
            "set_timer",
            "start_timer",
            "timer",
            "create_timer",
        ),
        ("Set a timer", "Start a timer for some minutes"),
        (Parameter("minutes", ("minutes", "duration", "minutes_from_now"), "integer"),),
        (
            "Set a timer for {minutes} minutes.",
            "Start a timer of {minutes} minutes",
            "timer {minutes} minutes",
            "Wake me in {minutes} minutes.",
            "Remind me in {minutes} minutes",
        ),
        lambda rng, v: {"status": "started"},
        "The timer is set for {minutes} minutes.",
    ),
    Kind(
        ("translate", "translate_text", "translation"),
        ("Translate a text into a language", "Translates text"),
        (
            Parameter("text", ("text", "input", "phrase")),
            Parameter(
                "language",
                (
                    "language",
                    "target",
                    "to",
                    "target_language",
                ),
            ),
        ),
        (
            "Translate {text} into {language}.",
            "How do you say {text} in {language}?",
            "{text} in {language} please",
        ),
        lambda rng, v: {"translation": words.phrase(rng, 2, 3)},
        "In {language} it is: {translation}.",
    ),
    Kind(
        (
            "get_stock_price",
            "stock_price",
            "quote",
            "get_quote",
        ),
        ("Get the price of a stock", "Stock price by symbol"),
        (Parameter("symbol", ("symbol", "ticker", "stock")),),
        (
            "What is the stock price of {symbol}?",
            "price of {symbol}",
            "How much is {symbol} stock?",
            "Quote for {symbol}",
            "How is {symbol} doing?",
        ),
        lambda rng, v: {"price": rng.randrange(20, 900)},
        "{symbol} stands at {price}.",
    ),
    Kind(
        ("play_music", "play_song", "play", "start_music"),
        ("Play a song", "Play music"),
        (Parameter("song", ("song", "title", "track", "query")),),
        (
            "Play {song}.",
            "Play the song {song}",
            "I want to hear {song}",
            "Put on {song}.",
            "start the song {song}",
        ),
        lambda rng, v: {"status": "playing"},
        "Now playing {song}.",
    ),
    Kind(
        (
            "order_item",
            "order",
            "buy",
            "create_order",
            "add_to_cart",
        ),
        ("Order a product", "Buy things in the shop"),
        (
            Parameter("item", ("item", "product", "article")),
            Parameter("count", ("quantity", "count", "number"), "integer"),
        ),
        (
            "Order {count} {item}.",
            "Buy {count} {item} for me.",
            "I want {count} {item}",
            "Please order {count} {item}",
            "Add {count} {item} to my cart",
        ),
        lambda rng, v: {"order": rng.randrange(100, 999)},
        "I ordered {count} {item}. The order number is {order}.",
    ),
    Kind(
        ("convert_currency", "convert", "exchange"),
        ("Convert an amount of money", "Currency conversion"),
        (
            Parameter("amount", ("amount", "value"), "integer"),
            Parameter("from", ("from", "source", "from_currency")),
            Parameter("to", ("to", "target", "to_currency")),
        ),
        (
            "Convert {amount} {from} to {to}.",
            "How much is {amount} {from} in {to}?",
            "{amount} {from} in {to}",
        ),
        lambda rng, v: {"result": rng.randrange(10, 9000)},
        "{amount} {from} is {result} {to}.",
    ),
    Kind(
        (
            "turn_on_light",
            "light_on",
            "switch_light",
            "lights",
        ),
        ("Turn on the light in a room", "Switch a light on"),
        (Parameter("room", ("room", "location", "where")),),
        (
            "Turn on the light in the {room}.",
            "Light in the {room} please",
            "Switch on the {room} light",
            "It is dark in the {room}.",
        ),
        lambda rng, v: {"status": "on"},
        "The light in the {room} is on.",
    ),
    Kind(
        (
            "find_order",
            "get_order",
            "order_status",
            "track_package",
            "get_status",
        ),
        ("Get the status of an order", "Track a parcel"),
        (Parameter("code", ("order_id", "id", "number", "code")),),
        (
            "Where is my order {code}?",
            "Status of order {code}",
            "Track order {code}.",
            "Has order {code} been sent?",
        ),
        lambda rng, v: {
            "status": rng.choice(
                (
                    "sent",
                    "delivered",
                    "packed",
                    "delayed",
                )
            )
        },
        "Order {code} is {status}.",
    ),
    Kind(
        ("book_table", "reserve_table", "make_reservation", "add_event", "create_event"),
        ("Book a table", "Add an event to the calendar"),
        (Parameter("day", ("day", "date", "when")), Parameter("time", ("time", "start", "hour"))),
        (
            "Book a table for {day} at {time}.",
            "Make a reservation {day} at {time}",
            "Put it in for {day} at {time}.",
            "Reserve {day}, {time}",
        ),
        lambda rng, v: {"status": "booked"},
        "It is booked for {day} at {time}.",
    ),
)
