"""Train the headline tone model and write `shared/quant/sentiment_model.npz`. For developers: needs scikit-learn.

    python -m tools.train_sentiment --data FOLDER

FOLDER holds `sent_train.csv` (learned from) and `sent_valid.csv` (only ever scored), each with the columns `text` and
`label`: 0 bearish, 1 bullish, 2 neutral. The word lists below are the house's own and travel inside the model file.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, hstack
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from shared.quant.sentiment import MODEL_PATH, score
from shared.quant.tone_feature import Lexicon, buckets, features

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

TONES = ("bearish", "neutral", "bullish")
COLUMN = {"0": 0, "2": 1, "1": 2} | {tone: column for column, tone in enumerate(TONES)}
SENTENCES = Path(__file__).parents[1] / "tests" / "unit" / "sentiment_sentences.csv"
NEWS = SENTENCES.with_name("sentiment_news.csv")
RESAMPLES = 2_000
WIDTHS = (2**12, 2**16, 2**16)
# Cues are few and carry to texts of other kinds; a larger share would cost accuracy on posts.
SHARES = (0.3, 1.2, 1.4)
# The training file holds articles on currency pairs among its posts, of another origin and without a neutral class.
LONGEST_POST = 300
# Posts call much news neutral that a reader of the business pages would not: each hard event adds this to its log-odds.
PRIOR = 0.8
# Soft events too ("improved", "higher"): what ups less downs, to three, add each to the log-odds.
NET_PRIOR = 0.2
INVERSE_PENALTY = 5.0

CUES = {
    "U": (
        "accelerate add advance balloon bigger boost bounce climb double expand expansion extend gain grew grow "
        "grown higher highest hike improve improvement increase jump larger leap leapt lift more mount pick-up "
        "pop quadruple raise rallied rally rebound record record-high rise risen rocket rose skyrocket soar spike "
        "strengthen surge swell swollen triple tripled up upward widen wider "
        "biggest fatter mushroom outrun ramp-up risen steepest strengthening treble upswing widest"
    ),
    "D": (
        "abate collapse contract contraction cool crash cut decline decrease dent deteriorate deterioration "
        "diminish dip dive dove down downward drag drop dwindle ease erode erosion evaporate fade fall fallen "
        "fell fewer halve less lessen lower lowest narrow narrower nosedive plummet plunge recede record-low "
        "reduce reduction retreat sank shave shed shrank shrink shrunk sink slash slid slide slip slow slowdown "
        "slower slump smaller soften subside sunk tank trim tumble weaken "
        "diminished eroded shrinkage slacken thin trough waning wane wither"
    ),
    "G": (
        "accretive all-time-high approval approve authorise authorize award bag beat blowout boom breakeven "
        "breakthrough bullish buyback clearance exceed fast-track flourish greenlight land milestone outpace "
        "outperform outperforming outsold outstrip oversubscribed overweight profitability profitable prosper "
        "recover recovery reinstate reopen repay repurchase restart resume savings surpass synergy thrive top "
        "turnaround upbeat upgrade upside vindicate win won "
        "clinch revive revival thriving triumph unscathed windfall"
    ),
    "g": (
        "agreement attractive benefit best better bright brighten brisk confident efficient enhance favorable "
        "favourable gainer growth healthy impressive innovative inroad landmark momentum opportunity optimism "
        "optimistic outstanding partnership positive premium profitably progress rehire renew resilience "
        "resilient reward robust secure solid stellar strong stronger strongest success successful successfully "
        "support undervalued "
        "amicable bargain bonus bumper competitive healthier improve markedly milder oversubscribe profitable welcome"
    ),
    "B": (
        "accuse allegation allege axe backlash bankrupt bankruptcy batter bearish bleed breach bribe bribery bust "
        "clobber closure contagion crisis cyberattack default delist dilution dilutive disappoint disappointing "
        "disappointment dismal downgrade downside embezzle fail failure fallout falsify fine foreclosure fraud "
        "freefall furlough going-concern guilty hack hammer impairment infringe infringement insolvency insolvent "
        "investigate investigation lag laid lawsuit lay lay-off layoff liquidation lose lost meltdown misconduct "
        "miss outage overcharge overrun penalty plague probe profit-warning pummel recall recession redundancy "
        "restatement rout scandal scrap sell-off selloff shortfall shutdown skid slap sluggish strike struggle "
        "stumble subpoena sue tailspin trouble underperform underperforming underweight unprofitable violation "
        "warn warning wipe woe worse worst writedown "
        "arrears administrator clash collapse destroy embezzlement flunk hacker junk leak mislead misled "
        "paralyse paralyze receivership ruin vanish walkout worsen"
    ),
    "b": (
        "abandon adverse ban bleak blow bottleneck burden cancel cancellation caution cautious challenging charge "
        "complaint concern curb damage death delay depress die difficult dispute disrupt disruption distress "
        "drought dump fear fire gloom gloomy glut grim halt headwind hit hurt idle injunction jolt lackluster "
        "lacklustre muted negative offload outbreak oversupply overvalued pessimism pessimistic poor pressure "
        "reel reject rejection resign resignation restate sanction shock shut soft sour squeeze stall stop strain "
        "subdued suspend suspension tariff tension terminate threat threaten turbulence turmoil uncertain "
        "uncertainty unexpectedly volatile weak weaker weakest weakness withdraw wobble worry "
        "boycott downbeat drown evacuate flaw flood gloomier grounded hole lapse rupture scarce shun standstill "
        "turbulent unsold"
    ),
    "P": (
        "activity backlog booking capacity cash confidence construction customer delivery demand deposit dividend "
        "earnings ebit ebitda economy efficiency employment eps estimate export forecast funding futures gdp "
        "growth guidance hiring housing income index intake job margin market occupancy order orderbook outlook "
        "output passenger payroll permits portfolio price production productivity profit pt rating registration "
        "result return revenue sale sentiment share shipment spending staff starts stock subscriber surplus "
        "target traffic turnover user value volume workforce"
    ),
    "C": (
        "accident borrowing burden charge churn claim complaint concern cost debt default deficit delinquency "
        "emission expense fear foreclosure impairment inflation inventory jobless layoff leverage liability loss "
        "outflow overhead pollution provision rate redemption risk shortage stockpile tariff tension uncertainty "
        "unemployment vacancy volatility worry writedown yield "
        "arrear outage inquiry probe spoilage unsold wage"
    ),
    "S": (
        "acquit avert avoid clear close dismiss dismissal drop end escape lift overcome overturn rescue resolve "
        "settle settlement shrug survive throw toss "
        "avert call-off defuse ratify"
    ),
    "K": (
        "abandon block cancel delay eliminate end fail forgo freeze halt idle lack lose lost miss omit postpone "
        "pull reject revoke scrap stop strip suspend terminate withdraw"
    ),
    "N": "cannot deny fail hardly lack neither never no nor not unable unlikely without",
}
TURNED = (
    r"\b(?:swings?|swung|turns?|turned|returns?|returned|moves?|moved|slips?|slipped|falls?|fell) (?:back )?(?:in)?to"
)
RESULT = r"(?: an?)?(?: net| operating| quarterly| pre-tax)?"
EXPECTED = r"(?: \w+){0,2}? (?:estimates?|expectations?|forecasts?|consensus|expected|feared|views?|street|thought)"
GAINS = (
    r"receives?|received|gets?|got|books?|booked|bags?|bagged|wins?|won|clinch(?:es|ed)?|secures?|secured|lands?|landed"
)
PLANNED = r" (?:schedule|plan|last year)\b"
HIGHS = r"\b(?:all[- ]time|record|fresh|new|multi-year|\w+-(?:year|month|week))"
PHRASES = (
    (r"\b(?:lays?|laid|laying)[ -]off|\bjob cuts?\b", "layoff"),
    (r"\bsell[- ]off", "selloff"),
    (r"\bwrite[- ](?:down|off)", "writedown"),
    (rf"{HIGHS} (?:highs?|peaks?)\b", "record-high"),
    (rf"{HIGHS} (?:lows?|troughs?)\b", "record-low"),
    (r"\bprofit warnings?|\b(?:ordered|told) to pay\b", "profit-warning"),
    (r"\bshort of\b", "miss"),
    (rf"{TURNED}{RESULT} (?:profit|profitability)\b|\b(?:in|into|to) the black\b|\bfirst profit\b", "profitable"),
    (rf"{TURNED}{RESULT} loss(?:es)?\b|\b(?:in|into|to) the red\b", "unprofitable"),
    (rf"\b(?:above|ahead of|better than|higher than|stronger than){EXPECTED}|\bahead of{PLANNED}", "beat"),
    (rf"\b(?:below|behind|worse than|lower than|weaker than){EXPECTED}|\bbehind{PLANNED}", "miss"),
    (rf"\b(?:{GAINS}) (?:\S+ ){{0,4}}?(?:orders?|contracts?|deals?)\b", "win order"),
    (r"\b(?:los(?:es|t|ing)|ends?|cancel(?:s|led)?) (?:\S+ ){0,3}?(?:orders?|contracts?|deals?)\b", "lose"),
    (r"\b(?:denied|refused) (?:permission|approval|an? licen[cs]e)\b", "lose"),
    (r"\bpass(?:es|ed)? (?:\w+ )?(?:test|tests|inspection|muster)\b", "win"),
    (r"\b(?:walks?|walked) (?:out|away)\b", "walkout"),
    (r"\b(?:returns?|returned) to growth\b", "recover"),
    (r"\bstep(?:s|ped|ping)? down", "resign"),
    (r"\bgoing concern", "going-concern"),
    (r"\bclass[- ]action|\bchapter 11\b", "lawsuit"),
    (r"\bbefore tax(?:es)?\b", "pretax"),
    (r"\bbreak(?:s|ing)? even|\bbroke even", "breakeven"),
)


def forms(word: str) -> set[str]:
    """Give a word with its regular endings; a form that does not exist does no harm."""
    if word.endswith("e"):
        return {word, f"{word}s", f"{word}d", f"{word[:-1]}ing"}
    if word.endswith("y") and word[-2] not in "aeou":
        return {word, f"{word[:-1]}ies", f"{word[:-1]}ied", f"{word}ing"}
    plural = f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"
    doubled = word + word[-1] if word[-1] in "pgtnmb" and word[-2] in "aeiou" and word[-3:-2] not in "aeiou" else word
    return {word, plural, f"{word}ed", f"{word}ing", f"{doubled}ed", f"{doubled}ing"}


def lexicon_json() -> str:
    """Give the word lists as the JSON that `Lexicon.from_json` reads, each word in all its forms."""
    classes: dict[str, str] = {}
    for letter, words in CUES.items():
        for form in sorted({form for word in words.split() for form in forms(word)}):
            classes[form] = classes.get(form, "") + letter
    return json.dumps({"classes": classes, "phrases": PHRASES})


def read(path: Path, use: str | None = None) -> tuple[list[str], Ints]:
    """Read texts and their columns in `TONES`, of one `use` where that is given."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = [(row["text"], COLUMN[row["label"]]) for row in csv.DictReader(lines) if row.get("use") == use]
    return [text for text, _ in rows], np.array([column for _, column in rows])


def matrices(texts: list[str], lexicon: Lexicon) -> list[csr_matrix]:
    """Give one matrix of shape (n_texts, width) per group of features, each row scaled as `score` scales it."""
    named = [features(text, lexicon) for text in texts]
    return [group_matrix([names[group] for names in named], group) for group in range(len(WIDTHS))]


def group_matrix(rows: list[list[str]], group: int) -> csr_matrix:
    """Give the hashed matrix of one group."""
    columns = [buckets(names, WIDTHS[group]) for names in rows]
    sizes = np.array([np.sqrt(len(names)) if group and names else 1.0 for names in rows])
    values = np.repeat(SHARES[group] / sizes, [len(found) for found in columns])
    ends = np.cumsum([0, *(len(found) for found in columns)])
    return csr_matrix((values, np.concatenate(columns), ends), shape=(len(rows), WIDTHS[group]))


def prior() -> Floats:
    """Give what the prior adds to the cue weights: ndarray of shape (n_cues, 3)."""
    added = np.zeros((WIDTHS[0], len(TONES)))
    for hard in (-2, -1, 1, 2):
        added[buckets([f"hard{hard}"], WIDTHS[0]), 2 if hard > 0 else 0] += PRIOR * abs(hard) / SHARES[0]
    for net in (-3, -2, -1, 1, 2, 3):
        added[buckets([f"net{net}"], WIDTHS[0]), 2 if net > 0 else 0] += NET_PRIOR * abs(net) / SHARES[0]
    return added


def temperature(logits: Floats, labels: Ints) -> float:
    """Find the divisor of the logits that gives the held-out labels the greatest likelihood."""

    def loss(divisor: float) -> float:
        return float(-log_softmax(logits / divisor, axis=1)[np.arange(len(labels)), labels].mean())

    return float(minimize_scalar(loss, bounds=(0.3, 4.0), method="bounded").x)


def train(texts: list[str], labels: Ints, lexicon: Lexicon) -> dict[str, NDArray[np.generic]]:
    """Fit the weights on all texts and their temperature on predictions for texts left out of the fit."""
    parts = matrices(texts, lexicon)
    joined = hstack(parts).tocsr()
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    held_out = np.log(cross_val_predict(model, joined, labels, cv=folds, method="predict_proba", n_jobs=1))
    divisor = temperature(held_out + parts[0] @ prior(), labels)
    print(f"temperature {divisor:.3f}, held-out accuracy {accuracy_score(labels, held_out.argmax(1)):.4f} (no prior)")
    model.fit(joined, labels)
    return pack(np.split(model.coef_.T, np.cumsum(WIDTHS)[:-1]), model.intercept_, divisor)


def pack(weights: list[Floats], bias: Floats, divisor: float) -> dict[str, NDArray[np.generic]]:
    """Turn weights into 16-bit integers with one scale a group, the temperature and the shares folded in."""
    weights = [weights[0] + prior(), *weights[1:]]
    steps = [np.abs(group).max() / np.iinfo(np.int16).max for group in weights]
    packed = [np.rint(group / step).astype(np.int16) for group, step in zip(weights, steps, strict=True)]
    scales = np.array(steps) * SHARES / divisor
    named = dict(zip(("cues", "words", "chars"), packed, strict=True))
    return named | {"scales": scales, "bias": bias / divisor}


def report(title: str, texts: list[str], labels: Ints) -> None:
    """Print how the written model does on texts that it has not seen."""
    tones = [score(text) for text in texts]
    chances = np.array([(tone.bearish, tone.neutral, tone.bullish) for tone in tones])
    chosen = chances.argmax(1)
    macro = f1_score(labels, chosen, average="macro")
    print(f"\n{title}: accuracy {accuracy_score(labels, chosen):.4f}, macro-F1 {macro:.4f}, n {len(labels)}")
    print("95 % intervals: " + ", ".join(f"{low:.3f} to {high:.3f}" for low, high in intervals(labels, chosen)))
    print(classification_report(labels, chosen, target_names=TONES, digits=3))
    print(f"Brier {((chances - np.eye(len(TONES))[labels]) ** 2).sum(1).mean():.4f}")
    reliability(chances.max(1), chosen == labels)


def intervals(labels: Ints, chosen: Ints) -> Floats:
    """Give the bootstrap's 95 % intervals of accuracy and macro-F1: ndarray of shape (2, 2)."""
    random = np.random.default_rng(0)
    draws = [random.integers(len(labels), size=len(labels)) for _ in range(RESAMPLES)]
    right = [float((labels[draw] == chosen[draw]).mean()) for draw in draws]
    macro = [float(f1_score(labels[draw], chosen[draw], average="macro")) for draw in draws]
    return np.array([np.quantile(each, (0.025, 0.975)) for each in (right, macro)])


def reliability(sure: Floats, right: NDArray[np.bool_]) -> None:
    """Print, for each tenth of certainty, how often the choice was right; and the expected calibration error."""
    tenths = np.minimum((sure * 10).astype(int), 9)
    gaps = {t: (sure[tenths == t].mean(), right[tenths == t].mean(), (tenths == t).sum()) for t in np.unique(tenths)}
    for tenth, (said, was, count) in gaps.items():
        print(f"  {tenth / 10:.1f}+  said {said:.3f}  was {was:.3f}  n {count}")
    print(f"ECE {sum(abs(said - was) * count for said, was, count in gaps.values()) / len(sure):.4f}")


def main() -> None:
    """Train on the training file, write the model, report on the validation file and on the house's sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the two labelled files")
    parser.add_argument("--held-out", action="store_true", help="report on the sentences that nothing is chosen by")
    options = parser.parse_args()
    folder = options.data
    texts, labels = read(folder / "sent_train.csv")
    posts = [i for i, text in enumerate(texts) if len(text) <= LONGEST_POST]
    words = lexicon_json()
    model = train([texts[i] for i in posts], labels[posts], Lexicon.from_json(words))
    model["lexicon"] = np.frombuffer(words.encode(), dtype=np.uint8)
    np.savez_compressed(MODEL_PATH, allow_pickle=False, **model)
    report("sent_valid.csv", *read(folder / "sent_valid.csv"))
    report("sentiment_sentences.csv", *read(SENTENCES))
    report("sentiment_news.csv, for choosing", *read(NEWS, "choose"))
    if options.held_out:
        report("sentiment_news.csv, held out", *read(NEWS, "held"))


if __name__ == "__main__":
    main()
