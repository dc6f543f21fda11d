"""Draws what tests/bench/suite measured: one panel a condition, every start relative to the cold one."""

from xml.sax.saxutils import escape

BARS = [
    ('preload', 'LD_PRELOAD', '#1f77b4'),
    ('audit', 'LD_AUDIT', '#17637f'),
    ('run', 'coldboost run', '#0b3c5d'),
    ('vmtouch', 'vmtouch -t, then start', '#e08214'),
    ('cat', 'cat files, then start', '#fdb863'),
    ('elf', 'readahead of all ELF files', '#b2abd2'),
    ('warm', 'warm', '#a8c8a0'),
]
BAR, GAP, LEFT, RIGHT = 15, 30, 56, 40
TOP, PANEL, FOOT = 84, 210, 66
MOST = 2.5  # of cold; a longer bar is cut and says its value


def text(x, y, words, size=12, anchor='middle', weight='normal', fill='#222'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{fill}">{escape(words)}</text>')


def line(x1, y1, x2, y2, colour, more=''):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'{more}/>')


def bar(x, bottom, colour, about):
    ratio = min(about['ratio'], MOST)
    height = ratio / MOST * PANEL
    out = [f'<rect x="{x + 1:.1f}" y="{bottom - height:.1f}" width="{BAR - 2}" '
           f'height="{height:.1f}" fill="{colour}"/>']
    if about['ratio'] > MOST:
        out.append(text(x + BAR / 2, bottom - height - 3, f'{about["ratio"]:.1f}', 9))
    else:
        low, high = (bottom - min(about[key], MOST) / MOST * PANEL
                     for key in ('ratio_p10', 'ratio_p90'))
        out.append(line(x + BAR / 2, low, x + BAR / 2, high, '#444'))
    return out


def panel(title, programs, top, width):
    bottom = top + PANEL
    out = [text(LEFT, top - 12, title, 14, 'start', 'bold')]
    for tenth in range(0, int(MOST * 10) + 1, 5):
        y = bottom - tenth / 10 / MOST * PANEL
        out.append(line(LEFT, y, width - RIGHT, y, '#ddd'))
        out.append(text(LEFT - 6, y + 4, f'{tenth / 10:.1f}', 11, 'end', fill='#666'))
    x = LEFT + GAP / 2
    for name, variants in programs:
        for variant, _, colour in BARS:
            if 'ratio' in variants.get(variant, {}):
                out += bar(x, bottom, colour, variants[variant])
            x += BAR
        middle = x - BAR * len(BARS) / 2
        out.append(text(middle, bottom + 17, name, 12, weight='bold'))
        out.append(text(middle, bottom + 32, f'cold {variants["cold"]["median_ms"]:.0f} ms', 11,
                        fill='#666'))
        x += GAP
    one = bottom - PANEL / MOST
    out.append(line(LEFT, one, width - RIGHT, one, '#c00', 'stroke-dasharray="5 3"'))
    out.append(text(width - RIGHT + 3, one + 4, 'cold', 10, 'start', fill='#c00'))
    return out


def draw(document, titles):
    """The SVG text. `titles` has a line for each condition."""
    panels = []
    for condition, what in document['conditions'].items():
        programs = [(name, program['variants']) for name, program in what['programs'].items()
                    if 'cold' in program['variants']]
        if programs:
            panels.append((titles[condition], programs))
    most = max((len(programs) for _, programs in panels), default=0)
    width = max(LEFT + RIGHT + most * (BAR * len(BARS) + GAP), 760)
    height = TOP + len(panels) * (PANEL + FOOT)
    about = document['machine']
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif">',
           '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 22, f'Time of a start relative to a cold start (median of paired rounds, '
                f'10th to 90th percentile), {document["date"]}, {about["cpus"]} x {about["cpu"]}',
                11, 'start', fill='#666')]
    x = LEFT
    for _, name, colour in BARS:
        out.append(f'<rect x="{x}" y="36" width="11" height="11" fill="{colour}"/>')
        out.append(text(x + 15, 46, name, 11, 'start'))
        x += 36 + 6.4 * len(name)
    for number, (title, programs) in enumerate(panels):
        out += panel(title, programs, TOP + number * (PANEL + FOOT), width)
    return '\n'.join(out + ['</svg>', ''])
