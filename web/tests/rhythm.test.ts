import { expect, test } from "vitest";
import { attention, pollSeconds, RHYTHM } from "../client/attention";
import { backOffSeconds } from "../client/back-off";

test("attention when the page is hidden is so whatever happens", () => {
  expect(attention(true, 0, RHYTHM)).toBe("hidden");
});

test("attention when nothing happened for two minutes is quiet", () => {
  expect(attention(false, 119, RHYTHM)).toBe("watching");
  expect(attention(false, 120, RHYTHM)).toBe("quiet");
});

test("polls when it is quiet are ever more seldom, up to a bound", () => {
  const pauses = [120, 150, 200, 300, 900].map((seconds) => pollSeconds("quiet", seconds, RHYTHM));
  expect(pauses).toEqual([2, 3, 8, 15, 15]);
});

test("polls when somebody watches come every second, hidden ones twice a minute", () => {
  expect(pollSeconds("watching", 0, RHYTHM)).toBe(1);
  expect(pollSeconds("hidden", 0, RHYTHM)).toBe(30);
});

test("back-off when failures go on doubles up to half a minute", () => {
  expect([1, 2, 3, 7, 50].map((failures) => backOffSeconds(failures, 0, 1))).toEqual([0.5, 1, 2, 30, 30]);
});

test("back-off when clients failed together spreads them", () => {
  expect(backOffSeconds(3, 0, 0)).toBe(1);
});

test("back-off when the desk asks for more waits that long", () => {
  expect(backOffSeconds(1, 10, 1)).toBe(10);
});
