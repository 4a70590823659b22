import { DARK_STATES, LIGHT_STATES } from '../../../shared/formats/svg.ts';

const states = (colours: Readonly<Record<string, string>>) =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour};`)
    .join('');

const perState = Object.keys(LIGHT_STATES)
  .map(
    (name) =>
      `.is-${name}{--state:var(--${name})}.line.is-${name}{stroke:var(--${name})}.head.is-${name}{fill:var(--${name})}`,
  )
  .join('\n');

/** The pages' style sheet: light or dark as the reader prefers; the policy names its hash. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--raised:#fff;--rule:#d3d9e2;--text:#18212d;--soft:#566273;--accent:#1f5fd0;--accent-soft:#e6eefc;--line:#8793a5;--glow:#1f5fd033;${states(LIGHT_STATES)}--shadow:0 1px 2px #1018281a,0 4px 12px #1018280d}
@media(prefers-color-scheme:dark){:root{--bg:#11161d;--card:#1b232e;--raised:#212b38;--rule:#364253;--text:#e8edf4;--soft:#9fadbf;--accent:#82b4ff;--accent-soft:#223350;--line:#6b7b90;--glow:#82b4ff40;${states(DARK_STATES)}--shadow:0 1px 2px #0006,0 6px 16px #0004}}
*{box-sizing:border-box}
html,body{height:100%;margin:0}
body{display:flex;flex-direction:column;background:var(--bg);color:var(--text);font:14px/1.45 system-ui,"Segoe UI","Noto Sans","Noto Sans CJK SC",sans-serif}
a{color:var(--accent);text-underline-offset:2px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
h1{font-size:24px;margin:0 0 16px;letter-spacing:-.01em}h2{font-size:15px;margin:0 0 8px}h3{font-size:12px;margin:16px 0 6px;color:var(--soft);font-weight:600;letter-spacing:.02em}
code,.mono{font:12px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
code{background:var(--bg);border:1px solid var(--rule);border-radius:4px;padding:1px 5px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
[hidden]{display:none!important}
.skip{position:absolute;left:-999px;top:4px;z-index:9;background:var(--raised);padding:6px 10px;border-radius:6px}.skip:focus{left:8px}
.soft{color:var(--soft)}.empty{color:var(--soft);border:1px dashed var(--rule);border-radius:10px;padding:18px}
body>header{display:flex;gap:8px 20px;align-items:center;flex-wrap:wrap;padding:8px 16px;background:var(--card);border-bottom:1px solid var(--rule);position:relative;z-index:5}
.brand{display:flex;gap:8px;align-items:center;font-weight:700;font-size:16px;color:var(--text);text-decoration:none}
.mark{fill:none;stroke:var(--accent);stroke-width:1.8}.mark-from{fill:var(--accent)}.mark-to{fill:var(--registered)}
nav{display:flex;gap:4px}nav a{padding:5px 10px;border-radius:7px;text-decoration:none;color:var(--soft)}nav a[aria-current]{background:var(--accent-soft);color:var(--accent);font-weight:600}
.search{position:relative;flex:1;max-width:520px;min-width:200px;margin-left:auto}
.search input{width:100%;font:inherit;color:inherit;background:var(--bg);border:1px solid var(--rule);border-radius:9px;padding:8px 34px 8px 12px;min-height:38px}
.search kbd{position:absolute;right:10px;top:9px;font:12px/18px ui-monospace,monospace;color:var(--soft);border:1px solid var(--rule);border-radius:4px;padding:0 6px}
.search ul{position:absolute;inset:calc(100% + 4px) 0 auto;margin:0;padding:4px;list-style:none;background:var(--raised);border:1px solid var(--rule);border-radius:10px;box-shadow:var(--shadow);max-height:60vh;overflow:auto;z-index:9}
.search li{padding:7px 10px;border-radius:7px;cursor:pointer;overflow-wrap:anywhere}.search li[aria-selected=true]{background:var(--accent-soft)}.search li small{display:block;color:var(--soft)}.search li.note{cursor:default;color:var(--soft)}
button,select,.button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:5px 11px;min-height:34px;cursor:pointer;text-decoration:none}
button:hover,.button:hover,select:hover{border-color:var(--accent)}
button[aria-pressed=true]{background:var(--accent-soft);border-color:var(--accent);color:var(--accent)}
button:disabled{color:var(--soft);cursor:default;border-color:var(--rule)}
main{flex:1;min-height:0;outline:none;display:flex;flex-direction:column}
.notice{margin:24px auto;max-width:640px;padding:0 16px;color:var(--soft);text-align:center}
/* graph */
#app{flex:1;min-height:0;display:grid;grid-template:auto minmax(0,1fr)/minmax(0,1fr) 340px;grid-template-areas:"bar bar" "stage panel"}
.bar{grid-area:bar;display:flex;flex-wrap:wrap;gap:6px 8px;align-items:center;padding:8px 16px;border-bottom:1px solid var(--rule);background:var(--card)}
.bar form{display:contents}.bar label{display:flex;gap:6px;align-items:center;color:var(--soft)}.bar select{padding:5px 6px}.bar .gap{flex:1}
.bar .subject{font-weight:600;max-width:36ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.stage{grid-area:stage;position:relative;overflow:hidden;touch-action:none;cursor:grab;background-color:var(--bg);background-image:radial-gradient(var(--rule) 1px,transparent 1px);background-size:22px 22px}
.stage.moving{cursor:grabbing}
.world{position:absolute;left:0;top:0;transform-origin:0 0}
.world svg{position:absolute;left:0;top:0;overflow:visible;pointer-events:none}
.line{fill:none;stroke-width:1.8}.hit{fill:none;stroke:transparent;stroke-width:14;pointer-events:stroke;cursor:pointer}
.flow{fill:none;stroke:var(--line);stroke-width:1.2}.flow.indirect{stroke-dasharray:2 4}
.flow.lit{stroke:var(--accent);stroke-width:2.4}.dimmed .line,.dimmed .flow:not(.lit),.dimmed .label{opacity:.22}.dimmed .card:not(.lit){opacity:.45}
.line.chosen{stroke-width:3.4}
.card{position:absolute;background:var(--card);border:1px solid var(--rule);border-radius:10px;box-shadow:var(--shadow)}
.card.focus{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent),var(--shadow)}.card.chosen{box-shadow:0 0 0 3px var(--glow),var(--shadow);border-color:var(--accent)}
.card>.name{display:block;width:100%;height:51px;text-align:left;border:0;background:none;border-radius:10px;padding:7px 40px 7px 13px;line-height:1.3}
.card>.name b,.card>.name small{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;unicode-bidi:isolate}
.card>.name b{font-weight:600}.card>.name small{color:var(--soft);font-size:12px}
.card>.open{position:absolute;right:7px;top:11px;width:30px;min-height:30px;padding:0;border-color:transparent;background:none;color:var(--soft)}
.card ol{list-style:none;margin:0;padding:0 0 8px;border-top:1px solid var(--rule)}
.card li button{display:block;width:100%;height:22px;min-height:22px;text-align:left;border:0;border-radius:0;background:none;padding:0 13px;font-size:12px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.card li button:hover,.card li button.lit{background:var(--accent-soft)}.card li button.lit{color:var(--accent);font-weight:600}.card li.rest{padding:0 13px;font-size:12px;color:var(--soft);height:22px}
.more{position:absolute;top:-13px;min-height:24px;padding:1px 9px;font-size:11px;line-height:1.3;border-radius:12px;background:var(--raised);color:var(--soft);box-shadow:var(--shadow);white-space:nowrap}.more.up{left:-8px}.more.down{right:-8px}
.label{position:absolute;display:block;border:0;background:none;padding:0;min-height:0;text-align:center;white-space:nowrap;color:var(--soft);font-size:11px;line-height:16px}
.label .maker{display:block;height:16px;text-shadow:0 0 3px var(--bg),0 0 3px var(--bg),0 0 5px var(--bg),0 0 5px var(--bg)}
.chip{display:inline-flex;gap:4px;align-items:center;justify-content:center;height:18px;padding:0 7px;margin:0 auto 2px;border:1px solid var(--state);border-radius:9px;background:var(--card);color:var(--state);line-height:16px}.label:not(.dense) .chip{display:flex;width:fit-content}.label.dense .chip{padding:0;width:18px;margin:0 1px}
.label.chosen .chip{box-shadow:0 0 0 3px var(--glow)}
.zoom{position:absolute;left:12px;bottom:12px;display:flex;gap:4px;z-index:2}.zoom button{min-width:36px}
.collapsed{position:absolute;left:50%;top:10px;transform:translateX(-50%);background:var(--raised);border:1px solid var(--rule);border-radius:10px;padding:6px 12px;box-shadow:var(--shadow);z-index:2;display:flex;gap:10px;align-items:center;max-width:92%}
.panel{grid-area:panel;border-left:1px solid var(--rule);background:var(--card);overflow:auto;padding:16px}
.panel h2{font-size:16px;overflow-wrap:anywhere;margin:0 0 4px}.panel ul{list-style:none;margin:0;padding:0}.panel li{margin:0 0 6px;overflow-wrap:anywhere}
.panel .row{display:flex;flex-wrap:wrap;gap:6px;margin:10px 0}.panel .pick{display:block;width:100%;text-align:left;overflow-wrap:anywhere;line-height:1.35;padding:7px 10px}
.panel .arrow{color:var(--soft)}
.at{border:1px solid var(--rule);border-left:3px solid var(--state);border-radius:8px;padding:10px 12px;margin:0 0 8px}.at dl{margin:8px 0 0;display:block}.at dt{font-size:12px}.at dd{margin:0 0 6px}
dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:3px 12px;margin:0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.advice{margin:8px 0 0;padding:8px 10px;border-radius:7px;background:var(--accent-soft)}
.badge{display:inline-flex;gap:5px;align-items:center;color:var(--state);border:1px solid currentColor;border-radius:10px;padding:0 8px;font-size:12px;line-height:19px;white-space:nowrap}
.panel>button:first-child{margin-bottom:12px}.panel .pick .names{display:block;margin-top:4px}.panel .pick small{color:var(--soft);display:block}
summary{cursor:pointer;font-size:12px;font-weight:600;color:var(--soft);padding:6px 0;margin-top:10px}
.panel .legend{display:grid;grid-template-columns:max-content 34px 1fr;gap:8px 10px;align-items:center}.legend li{display:contents}.legend .none{opacity:.55}
.legend svg{vertical-align:middle}
.tablewrap{grid-area:stage;overflow:auto;padding:16px;background:var(--bg)}
.toast{position:fixed;left:50%;bottom:24px;transform:translateX(-50%);background:var(--text);color:var(--bg);padding:9px 16px;border-radius:9px;z-index:20;max-width:90vw;overflow-wrap:anywhere}
.message{grid-area:stage;align-self:center;justify-self:center;max-width:520px;padding:24px;text-align:center}.message h2{font-size:18px}
table.sides{font-size:12px}table.sides th,table.sides td{padding:5px 8px}.verdict-missing td,.verdict-extra td{font-weight:600}.compared li{margin-bottom:8px}
.state{display:flex;gap:6px;align-items:center;justify-content:space-between;margin:2px 0}
/* tables and overview */
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--rule)}th,td{text-align:left;padding:8px 12px;border-bottom:1px solid var(--rule);vertical-align:top;font-weight:400;overflow-wrap:anywhere}thead th{color:var(--soft);font-size:12px;font-weight:600}tbody tr:last-child>*{border-bottom:0}
.scroll{overflow-x:auto;border-radius:10px;border:1px solid var(--rule);background:var(--card)}.scroll table{border:0;background:none}
.overview{width:100%;max-width:1080px;margin:0 auto;padding:28px 20px 48px}.overview section{margin:0 0 32px}.overview p{margin:6px 0}
body[data-page=overview]{height:auto}.overview .columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:0 32px}
.tiles{display:flex;flex-wrap:wrap;gap:28px;list-style:none;margin:0 0 32px;padding:0}.tile{color:var(--soft)}.tile strong{display:block;font-size:30px;line-height:1.15;color:var(--text);font-weight:650;font-variant-numeric:tabular-nums}.tile.warn strong{color:var(--held)}
meter{width:90px;height:10px;vertical-align:middle}.facts dd{font-variant-numeric:tabular-nums}
pre{margin:6px 0 0;overflow:auto}pre code{display:block;padding:8px 10px;white-space:pre-wrap}
.list{list-style:none;margin:0;padding:0;background:var(--card);border:1px solid var(--rule);border-radius:10px}.list>li{padding:12px 14px;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}.list>li:last-child{border-bottom:0}
${perState}
@media(max-width:760px){
#app{grid-template:auto minmax(0,1fr) auto/minmax(0,1fr);grid-template-areas:"bar" "stage" "panel"}
.panel{border-left:0;border-top:1px solid var(--rule);max-height:42vh;padding:12px 16px}
body>header{padding:8px 12px}.search{order:3;flex-basis:100%;max-width:none}nav{margin-left:auto}.search kbd{display:none}
.bar{padding:6px 12px;flex-wrap:nowrap;overflow-x:auto}.bar label{font-size:0;gap:0}.bar select{font-size:14px}.bar .subject{max-width:20ch}.bar>*,.bar form>*{flex:none}.bar .gap{display:none}
.tiles{gap:20px 28px}.tile strong{font-size:26px}
}
@media(prefers-reduced-motion:no-preference){.world.glide{transition:transform .25s ease-out}}
`;
