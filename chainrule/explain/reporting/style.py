"""How a report looks, besides what every page has (`page.py`)."""

STYLE = """
:root { --second: #b3541e; --most: 60%; }
@media (prefers-color-scheme: dark) { :root { --second: #f0a06a; --most: 45%; } }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem;
  margin: 1.2rem 0; }
.tile { background: var(--code); border-radius: 8px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--muted); font-size: .85rem; }
.curves { display: flex; flex-wrap: wrap; gap: 1rem; }
.curves > svg { width: 100%; max-width: 23rem; height: auto; flex: 1 1 18rem; }
.confusion td, .confusion thead th { text-align: center; min-width: 2.9rem; padding: .3rem .2rem;
  border: 1px solid var(--paper); line-height: 1.15; }
.confusion caption { caption-side: bottom; color: var(--muted); font-size: .85rem; padding: .4rem;
  text-align: left; }
.confusion td small { display: block; font-size: .72rem; }
.confusion td.right { background: color-mix(in srgb, var(--accent) calc(var(--p) * var(--most)),
  var(--code)); }
.confusion td.wrong { background: color-mix(in srgb, var(--bad) calc(var(--p) * var(--most)),
  var(--code)); }
.confusion tbody th { position: sticky; left: 0; background: var(--paper); }
.examples { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); }
.example { margin: 0; border: 1px solid var(--line); border-radius: 8px; padding: .8rem;
  min-width: 0; }
.example.text { grid-column: 1 / -1; }
.example figcaption { font-size: .88rem; margin-top: .5rem; }
.seen { display: flex; gap: .5rem; align-items: flex-start; }
.pixels { width: 6.5rem; image-rendering: pixelated; border: 1px solid var(--line); flex: none;
  height: auto; }
.pixels.heat { background: var(--code); }
.chance { display: grid; grid-template-columns: minmax(4.2rem, auto) 1fr 4.2rem; gap: .5rem;
  align-items: center; font-variant-numeric: tabular-nums; }
.chance i { height: .55rem; border-radius: 3px; background: linear-gradient(to right,
  var(--bad) calc(var(--p) * 100%), var(--code) 0); }
.chance.true i { background: linear-gradient(to right, var(--good) calc(var(--p) * 100%),
  var(--code) 0); }
.chance.true span:first-child { font-weight: 600; } .chance span:last-child { text-align: right; }
.tokens { overflow-wrap: anywhere; font-family: ui-monospace, Menlo, Consolas, monospace;
  line-height: 1.9; }
.token { padding: .12em .08em; white-space: pre-wrap; border-radius: 3px; }
.token.miss { background: color-mix(in srgb, var(--bad) 30%, transparent); }
.sample { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow-y: auto; }
.scatter circle { fill: var(--accent); fill-opacity: .55; } .scatter text { fill: var(--muted);
  font-size: 12px; } .scatter .axis { stroke: var(--muted); fill: none; }
.scatter .equal { stroke: var(--muted); stroke-dasharray: 4 3; }
#network table td { white-space: nowrap; }
.digest { overflow-wrap: anywhere; } .facts th { vertical-align: top; white-space: nowrap; }
"""
