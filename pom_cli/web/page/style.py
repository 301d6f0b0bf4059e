"""The status page's style sheet, and the headers that let a browser do nothing with the page but show it."""

from base64 import b64encode
from functools import cache

# Text keeps a contrast of at least 4.5 and drawings one of at least 3 with what is behind them, in both schemes.
STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f5f1; --card: #fff; --edge: #e2e0d8; --text: #1c2025; --soft: #575e67; --track: #eae8e1;
  --ok: #1a7f4e; --bar: #2f9b66; --amber: #b97a12;
  --warn: #8f5600; --bad: #b3261e; --dim: #5c636c; --sign: #fff; --link: #1b5fa8;
  --ok-wash: #e8f3ec; --bad-wash: #fbeae8; --dim-wash: #ecebe6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121417; --card: #1a1d21; --edge: #2c3036; --text: #e7e9ec; --soft: #a2a9b2; --track: #282c32;
    --ok: #54c58b; --bar: #3fae77; --amber: #d99b35;
    --warn: #e9b04a; --bad: #ff8d82; --dim: #a2a9b2; --sign: #14171a; --link: #8ab8ef;
    --ok-wash: #16261d; --bad-wash: #301a19; --dim-wash: #22262b;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--text); }
header, main, footer { width: min(100% - 2rem, 52rem); margin-inline: auto; }
header { padding-block: clamp(1.75rem, 6vw, 4rem) 0; }
h1, h2, h3, p, ul, ol, dl, dd { margin: 0; padding: 0; font-size: inherit; font-weight: inherit; }
ul, ol { list-style: none; }
h1, h3, .status, .what, .caveat { overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 3px; border-radius: 2px; }
svg { display: block; }
.defs { position: absolute; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
.whole { white-space: nowrap; }

.banner { display: flex; flex-wrap: wrap; gap: .6rem .9rem; align-items: flex-start;
  padding: clamp(1.1rem, 4vw, 1.75rem); border: 1px solid var(--edge); border-radius: 14px;
  background: var(--dim-wash); }
.banner.ok { background: var(--ok-wash); border-color: color-mix(in srgb, var(--ok) 28%, transparent); }
.banner.bad { background: var(--bad-wash); border-color: color-mix(in srgb, var(--bad) 28%, transparent); }
.banner > .mark { align-self: flex-start; width: 1.9rem; height: 1.9rem; margin-top: .15rem; }
h1 { font-size: clamp(1.35rem, 4.6vw, 1.75rem); font-weight: 650; line-height: 1.25; letter-spacing: -.015em;
  text-wrap: balance; }
h1 a { color: inherit; text-decoration-thickness: 1px; }
.title { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2rem 1rem; margin-bottom: .9rem;
  font-weight: 650; overflow-wrap: anywhere; }
.title a { font-weight: 400; }
.banner > div { flex: 1 1 12rem; min-width: 0; }
.banner p { margin-top: .35rem; }
.caveat { display: flex; gap: .7rem; margin-top: 1rem; padding: .9rem clamp(1.1rem, 4vw, 1.75rem);
  border: 1px solid var(--edge); border-radius: 14px; background: var(--card); }
.caveat .mark { align-self: flex-start; margin-top: .25rem; }

section { margin-top: clamp(2rem, 6vw, 3rem); }
h2 { font-size: 1.125rem; font-weight: 650; letter-spacing: -.01em; }
.lead { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .25rem 1.5rem;
  margin-bottom: .8rem; }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .8125rem; color: var(--soft); }
.key li { display: flex; align-items: center; gap: .4rem; }
.key svg { width: .625rem; height: .625rem; flex: none; }

.systems > li, .incidents { border: 1px solid var(--edge); border-radius: 14px; background: var(--card); }
.systems { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; }
.systems > li { padding: clamp(1rem, 3.5vw, 1.5rem); }
.systems > li:target { outline: 2px solid var(--link); outline-offset: 2px; }
.name { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .15rem 1.5rem; }
h3 { font-size: 1.0625rem; font-weight: 600; }
.status { display: inline-flex; gap: .45rem; align-items: baseline; font-weight: 600; }
.mark { width: 1.05rem; height: 1.05rem; flex: none; align-self: center; fill: var(--dim);
  color: var(--sign); }
.sign { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.mark.operational { fill: var(--ok); } .operational .word { color: var(--ok); }
.mark.degraded { fill: var(--warn); } .degraded .word { color: var(--warn); }
.mark.error, .mark.unreachable { fill: var(--bad); } .error .word, .unreachable .word { color: var(--bad); }
.unknown .word { color: var(--dim); }
.mark.maintenance { fill: var(--link); } .maintenance .word { color: var(--link); }

.bars { width: 100%; height: 46px; margin-top: 1rem; }
.bars path { fill: none; stroke: currentColor; stroke-width: .74; } .key rect { fill: currentColor; }
.bars .deployed, .key .deployed { fill: currentColor; stroke: none; color: var(--dim); }
.none { color: var(--track); } .up { color: var(--bar); } .down { color: var(--bad); }
:is(.bars, .key) .degraded { color: var(--amber); } :is(.bars, .key) .maintenance { color: var(--link); }
.bars g rect { fill: transparent; } .bars g rect:hover { fill: var(--text); fill-opacity: .15; }
.axis { display: flex; justify-content: space-between; margin-top: .15rem; font-size: .8125rem; color: var(--soft); }
.figures { display: grid; grid-template-columns: 3fr 2fr; gap: 1rem 2.5rem; margin-top: 1.1rem; padding-top: 1.1rem;
  border-top: 1px solid var(--edge); }
.label { font-size: .8125rem; font-weight: 600; color: var(--soft); }
.uptime { display: flex; flex-wrap: wrap; gap: .6rem .75rem; margin-top: .3rem; }
.uptime > div { flex: 1 1 4.25rem; }
dt, dd, .value { font-size: .8125rem; color: var(--soft); line-height: 1.4; }
dd strong, .value strong { font-size: 1.0625rem; font-weight: 600; color: var(--text);
  font-variant-numeric: tabular-nums; }
.value { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0 1rem;
  margin-top: .3rem; }
.line { width: 100%; height: 2.5rem; margin-top: .35rem; overflow: visible; }
.line path { fill: none; vector-effect: non-scaling-stroke; }
.ms { stroke: var(--link); stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
.floor { stroke: var(--edge); stroke-width: 1; }

.incidents > li { display: grid; grid-template-columns: 1fr auto; gap: .1rem 1.5rem;
  padding: .85rem clamp(1rem, 3.5vw, 1.5rem); }
.incidents > li + li { border-top: 1px solid var(--edge); }
.incidents .what { display: flex; flex-wrap: wrap; gap: .1rem .9rem; }
.incidents .long { text-align: right; font-variant-numeric: tabular-nums; }
.incidents .when { grid-column: 1 / -1; }
.empty { padding: 1.1rem clamp(1rem, 3.5vw, 1.5rem); border: 1px solid var(--edge); border-radius: 14px;
  background: var(--card); }
footer { margin-top: clamp(2rem, 6vw, 3rem); padding-block: 1.25rem 3rem; border-top: 1px solid var(--edge); }
footer p + p { margin-top: .35rem; }

@media (max-width: 40rem) {
  .figures { grid-template-columns: 1fr; }
  .incidents > li { grid-template-columns: 1fr; }
  .incidents .long { text-align: left; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media (prefers-contrast: more) { :root { --soft: var(--text); --edge: var(--dim); } }
@media (forced-colors: active) {
  .mark { fill: CanvasText; color: Canvas; } .up { color: CanvasText; } .down { color: Highlight; }
  .ms { stroke: CanvasText; } :is(.bars, .key) .degraded { color: GrayText; } .none { color: Canvas; }
}
@media print { .systems > li, .incidents > li { break-inside: avoid; } }
"""


@cache
def headers() -> tuple[tuple[str, str], ...]:
    """No script, no request, no frame, no form: nothing but this very style sheet and the icon in the page itself.

    CSP Level 3, https://www.w3.org/TR/CSP3/#framework-directive-source-list: a hash of what stands between the tags.
    """
    from hashlib import sha256

    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    return (
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    )


# A feed is read by programs, and a badge is shown in other pages: neither may do anything there.
ELSEWHERE = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)
