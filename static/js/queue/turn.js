// "Your turn": heard if the browser allows it, seen in the title, with a ring that runs out.
import { $, say } from "../lib/page.js";
import { clock, t } from "../lib/words.js";

let audio = null; // made by a click: browsers allow sound only then

// A button that turns the sound on or off; the click itself lets the fan hear it once.
export function offerSound(button) {
  button.hidden = !window.AudioContext;
  button.onclick = () => {
    const wanted = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(wanted));
    audio?.close();
    audio = wanted ? new AudioContext() : null;
    chime();
  };
}

export function announce(button) {
  navigator.vibrate?.([200, 100, 200]);
  chime();
  requestAnimationFrame(() => button.focus({ preventScroll: true }));
}

export function ring(leftMs, wholeMs, title) {
  const left = Math.max(0, leftMs);
  $(".ring .left").setAttribute("stroke-dasharray", `${Math.min(1, left / wholeMs)} 1`);
  say($(".ring text"), clock(left));
  document.title = Math.floor(Date.now() / 1000) % 2 ? t("Your turn") : `${clock(left)} · ${title}`;
}

function chime() {
  if (!audio) return;
  [660, 880].forEach((pitch, i) => {
    const tone = audio.createOscillator(), volume = audio.createGain(), at = audio.currentTime + i / 4;
    volume.gain.setValueAtTime(0.15, at);
    volume.gain.linearRampToValueAtTime(0, at + 0.4);
    tone.frequency.value = pitch;
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.4);
  });
}
