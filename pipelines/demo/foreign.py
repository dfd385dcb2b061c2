"""Sentences about scenes in languages that the demo recipe does not admit."""

import random
from dataclasses import dataclass

from pipelines.demo.scenes import Scene


@dataclass(frozen=True, slots=True)
class Language:
    """Templates and words of one language; words stand in the form that the templates need."""

    one: str
    two: dict[str, str]
    colours: dict[str, str]
    shapes: dict[str, str]
    asides: tuple[str, ...]
    title: str
    charset: str
    """A legacy encoding in which some of its pages are written."""


_FRENCH = Language(
    one="Sur cette image, on voit {a} devant un fond de couleur {ground}.",
    two={
        "left of": "Sur cette image, {a} se trouve à gauche d'{b}, devant un fond de couleur {ground}.",
        "above": "Sur cette image, {a} se trouve au-dessus d'{b}, devant un fond de couleur {ground}.",
    },
    colours={
        "red": "rouge",
        "green": "verte",
        "blue": "bleue",
        "yellow": "jaune",
        "purple": "violette",
        "orange": "orange",
        "white": "blanche",
        "black": "noire",
    },
    shapes={
        "circle": "un cercle de couleur {colour}",
        "square": "un carré de couleur {colour}",
        "triangle": "un triangle de couleur {colour}",
        "star": "une étoile de couleur {colour}",
        "cross": "une croix de couleur {colour}",
        "ring": "un anneau de couleur {colour}",
        "heart": "un cœur de couleur {colour}",
        "diamond": "un losange de couleur {colour}",
    },
    asides=(
        "L'atelier ouvre ses portes à neuf heures et ferme peu avant le coucher du soleil.",
        "Les visiteurs arrivent souvent en train et restent avec nous jusqu'au soir.",
        "Nous avons conservé les notes de ces leçons, et la plupart sont encore utiles aujourd'hui.",
        "Si vous avez des questions, écrivez à notre bureau avant la fin du mois.",
        "La bibliothèque garde une copie de chaque rapport, que vous pouvez lire sur place.",
    ),
    title="Ce que nous avons appris pendant le cours de la semaine dernière",
    charset="cp1252",
)
_GERMAN = Language(
    one="Auf diesem Bild sieht man {a} vor einem Hintergrund in {ground}.",
    two={
        "left of": "Auf diesem Bild sieht man links {a} und rechts daneben {b} vor einem Hintergrund in {ground}.",
        "above": "Auf diesem Bild sieht man oben {a} und darunter {b} vor einem Hintergrund in {ground}.",
    },
    colours={
        "red": "Rot",
        "green": "Grün",
        "blue": "Blau",
        "yellow": "Gelb",
        "purple": "Violett",
        "orange": "Orange",
        "white": "Weiß",
        "black": "Schwarz",
    },
    shapes={
        "circle": "einen Kreis in {colour}",
        "square": "ein Quadrat in {colour}",
        "triangle": "ein Dreieck in {colour}",
        "star": "einen Stern in {colour}",
        "cross": "ein Kreuz in {colour}",
        "ring": "einen Ring in {colour}",
        "heart": "ein Herz in {colour}",
        "diamond": "eine Raute in {colour}",
    },
    asides=(
        "Die Werkstatt öffnet um neun Uhr und schließt kurz vor Sonnenuntergang.",
        "Die Besucher kommen meist mit dem Zug und bleiben bis zum späten Abend bei uns.",
        "Wir haben die Notizen zu diesen Stunden aufgehoben, und die meisten sind heute noch nützlich.",
        "Wenn Sie Fragen haben, schreiben Sie bitte vor dem Ende des Monats an unser Büro.",
        "Die Bücherei bewahrt von jedem Bericht eine Abschrift auf, die man dort lesen kann.",
    ),
    title="Was wir letzte Woche im Kurs gelernt haben",
    charset="cp1252",
)
_SPANISH = Language(
    one="En esta imagen se ve {a} delante de un fondo de color {ground}.",
    two={
        "left of": "En esta imagen hay {a} a la izquierda de {b}, delante de un fondo de color {ground}.",
        "above": "En esta imagen hay {a} por encima de {b}, delante de un fondo de color {ground}.",
    },
    colours={
        "red": "rojo",
        "green": "verde",
        "blue": "azul",
        "yellow": "amarillo",
        "purple": "morado",
        "orange": "naranja",
        "white": "blanco",
        "black": "negro",
    },
    shapes={
        "circle": "un círculo de color {colour}",
        "square": "un cuadrado de color {colour}",
        "triangle": "un triángulo de color {colour}",
        "star": "una estrella de color {colour}",
        "cross": "una cruz de color {colour}",
        "ring": "un anillo de color {colour}",
        "heart": "un corazón de color {colour}",
        "diamond": "un rombo de color {colour}",
    },
    asides=(
        "El taller abre a las nueve de la mañana y cierra poco antes de la puesta del sol.",
        "Los visitantes suelen llegar en tren y se quedan con nosotros hasta la noche.",
        "Hemos guardado las notas de estas lecciones y casi todas siguen siendo útiles hoy.",
        "Si tiene alguna pregunta, escriba a nuestra oficina antes de que termine el mes.",
        "La biblioteca conserva una copia de cada informe, que usted puede leer allí mismo.",
    ),
    title="Lo que aprendimos la semana pasada durante el curso",
    charset="cp1252",
)
_JAPANESE = Language(
    one="この絵には、{ground}の背景の前に{a}が描かれています。",
    two={
        "left of": "この絵では、{ground}の背景の前で、{a}が{b}の左側に描かれています。",
        "above": "この絵では、{ground}の背景の前で、{a}が{b}の上に描かれています。",
    },
    colours={
        "red": "赤色",
        "green": "緑色",
        "blue": "青色",
        "yellow": "黄色",
        "purple": "紫色",
        "orange": "橙色",
        "white": "白色",
        "black": "黒色",
    },
    shapes={
        "circle": "{colour}の円",
        "square": "{colour}の正方形",
        "triangle": "{colour}の三角形",
        "star": "{colour}の星",
        "cross": "{colour}の十字",
        "ring": "{colour}の輪",
        "heart": "{colour}のハート",
        "diamond": "{colour}のひし形",
    },
    asides=(
        "工房は朝九時に開き、日が沈む少し前に閉まります。",
        "見学の方は電車で来られることが多く、夜まで一緒に過ごします。",
        "この授業の記録は残してあり、そのほとんどは今でも役に立ちます。",
        "ご質問がありましたら、今月の終わりまでに事務所へお手紙をください。",
        "図書館にはすべての報告書の写しがあり、そこで読むことができます。",
    ),
    title="先週の授業で学んだこと",
    charset="shift_jis",
)
LANGUAGES = {"fr": _FRENCH, "de": _GERMAN, "es": _SPANISH, "ja": _JAPANESE}
"""By ISO 639-1 code."""


def describe_in(lang: str, scene: Scene) -> str:
    """Return one sentence in ``lang``, a key of LANGUAGES, that fits ``scene``."""
    language = LANGUAGES[lang]
    ground = language.colours[scene.ground]
    names = [language.shapes[figure.shape].format(colour=language.colours[figure.colour]) for figure in scene.figures]
    if scene.relation is None:
        return language.one.format(a=names[0], ground=ground)
    return language.two[scene.relation].format(a=names[0], b=names[1], ground=ground)


def aside_in(lang: str, rng: random.Random) -> str:
    """Return a sentence in ``lang`` that describes no picture."""
    return rng.choice(LANGUAGES[lang].asides)
