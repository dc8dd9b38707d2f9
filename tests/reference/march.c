/* The model's scheme once more in C, for its speed alone: one member, same equations, Jacobian, steps and tolerances as the compiled
   Python. Layout of the state: free u (n, p), mean u of all solvent (p), q = -ln(1 - x) (p), temperature (p), bound u (p); rows of
   member[] in the order of Member. */
#include <math.h>
#include <string.h>
#define MAXP 16
#define MAXY 1024
enum { DRY, SWOLLEN, EDRY, ESWOLLEN, IDRY, ISWOLLEN, RUBBER, EXTRA, GDRY, GSOLV, LOGA, AB, AC, RATIO, CHI, KNUDSEN, MOLECULAR, VISCOUS,
       SWEPT, SCALE, RATE, EX, IREF, ORDER, RISE, OFFSET, WIDTH, SITES, FREED, EFREED, REFILL, H, KVAC, KGAS, BORE };
typedef struct {
    long p, n;
    const double *vol, *ivol, *idist, *reach, *share, *icap, *rings;
    double tube_m, tube_k_w;
    const double *ends_m2;
    double fin, skin_m2, skin_m, half_pa, conv_pa, radiation, latent;
} Shape;
static const double G = 0.435866521508459, AL2 = 0.87173304301691801, AL3 = 0.73157995778885238;
static const double A21 = 2.0, A31 = 1.4192173174557652, A32 = -0.2592322116729698;
static const double A41 = 4.184760482319161, A42 = -0.285192017355496, A43 = 2.2942803602790423;
static const double C21 = -4.588560720558084, C31 = -4.184760482319161, C32 = 0.285192017355496;
static const double C41 = -6.36817920012836, C42 = -6.795620944466837, C43 = 2.870098604331055;
static const double E1 = 0.2777499476479686, E2 = -1.4032398951759992, E3 = 1.772630127667551, E4 = 0.5;

static inline double fexp(double x) {
    x = x < -700.0 ? -700.0 : (x > 700.0 ? 700.0 : x);
    double t = x * 1.4426950408889634 + 6755399441055744.0, r = x - (t - 6755399441055744.0) * 0.6931471805599453, s;
    long bits;
    memcpy(&bits, &t, 8);
    bits = (bits << 52) + (1023L << 52);
    memcpy(&s, &bits, 8);
    double q = 0.00833328344134861 + r * (0.0013948638144585487 + r * 0.00019907634721649543);
    q = 0.16666666786651563 + r * (0.0416662174206888 + r * q);
    return (0.9999999999593991 + r * (0.999999999995494 + r * (0.5000000108053198 + r * q))) * s;
}
static double surface(const double *m, double T, double u, const double *d, double reach) {
    double ps = fexp(m[LOGA] - m[AB] / (T + m[AC])), f2 = m[RATIO] / (u + m[RATIO]), pf = ps * (1 - f2) * fexp(f2 + m[CHI] * f2 * f2);
    double in = fmax(d[1] - d[2], 1.0), rt = sqrt(T), kn = m[KNUDSEN] * rt, mo = m[MOLECULAR] * T * T / (sqrt(rt) * in);
    return m[SCALE] * reach / T * ((kn * mo / (kn + mo) + m[SWEPT] * d[1]) * (pf - d[2]) + m[VISCOUS] * fmax(pf * pf - d[1] * d[1], 0.0));
}
static void slopes(const double *m, double T, double u, const double *d, double reach, double arriving, double *byu, double *byt) {
    double ps = fexp(m[LOGA] - m[AB] / (T + m[AC])), f2 = m[RATIO] / (u + m[RATIO]), e = fexp(f2 + m[CHI] * f2 * f2), pf = ps * (1 - f2) * e;
    double in = fmax(d[1] - d[2], 1.0), rt = sqrt(T), kn = m[KNUDSEN] * rt, mo = m[MOLECULAR] * T * T / (sqrt(rt) * in);
    double dif = kn * mo / (kn + mo) + m[SWEPT] * d[1], sc = m[SCALE] * reach / T, at = arriving > sc * dif * (d[1] - d[2]) ? fmax(pf, d[1] * 1.000001) : pf;
    double s = (dif + (at > d[1] ? 2 * m[VISCOUS] * at : 0.0)) * sc;
    *byu = s * ps * e * f2 * f2 / m[RATIO] * fmax(1 - (1 - f2) * (1 + 2 * m[CHI] * f2), 0.0);
    *byt = s * pf * m[AB] / ((T + m[AC]) * (T + m[AC]));
}
static void conduct(const Shape *s, const double *m, const double *d, double *k, double *h, double *skin) {
    *k = m[KVAC] + m[KGAS] * d[1] / (d[1] + s->half_pa);
    double hot = d[0] / 473.15;
    *h = m[H] * (s->radiation * hot * hot * hot + (1 - s->radiation) * d[1] / (d[1] + s->conv_pa));
    double a = *h * s->skin_m2, b = *k * s->skin_m;
    *skin = a * b / (a + b);
}
static inline double release(const double *m, double T) { return m[FREED] * fexp(m[EFREED] * (m[IDRY] - 1 / T)); }
static inline double empty(const double *m, double free) { return fexp(-fmax(free, 0.0) / m[REFILL]); }
static void films(const Shape *s, const double *m, const double *d, const double *t, double *T) {
    double k, h, skin;
    long e = s->p - 1;
    conduct(s, m, d, &k, &h, &skin);
    double lead = h / (1 + h * s->fin) * s->fin;
    for (long j = 0; j < e; j++) T[j] = t[j] - 0.5 * lead * (d[0] - t[j]);
    T[e] = t[e - 1] + lead * (d[0] - t[e - 1]);
}
static void rates(const Shape *s, const double *restrict m, const double *d, const double *restrict y, double *restrict f,
                  double *restrict dry, double *restrict swo, double *restrict gla, double *restrict flux) {
    long p = s->p, n = s->n, N = n * p, F = N - p;
    const double *heat = y + N + 2 * p;
    double T[MAXP];
    films(s, m, d, heat, T);
    double gd = 1 / m[GDRY], gs = 1 / m[GSOLV];
    for (long j = 0; j < p; j++) {
        double i = 1 / T[j];
        dry[j] = m[DRY] * fexp(m[EDRY] * (i - m[IDRY]));
        swo[j] = m[SWOLLEN] * fexp(m[ESWOLLEN] * (i - m[ISWOLLEN]));
        gla[j] = fmax((i - gd) / (gs - gd), 0.0);
    }
    for (long k = p; k < F; k++) { dry[k] = dry[k - p]; swo[k] = swo[k - p]; gla[k] = gla[k - p]; }
    for (long i = 0; i < F; i += p)
        for (long j = 0; j < p; j++) {
            long k = i + j;
            double u = 0.5 * (y[k] + y[k + p]) + y[N + 3 * p + j], w = u / (1 + u), g = w < gla[k] ? w : gla[k];
            flux[k] = (y[k + p] - y[k]) * s->idist[k] / (dry[k] * fexp(-(m[RUBBER] * w + m[EXTRA] * g)) + swo[k]);
        }
    for (long j = 0; j < p; j++) f[N + j] = -surface(m, T[j], y[F + j], d, s->reach[j]);
    for (long k = 0; k < p; k++) f[k] = flux[k] * s->ivol[k];
    for (long k = p; k < F; k++) f[k] = (flux[k] - flux[k - p]) * s->ivol[k];
    for (long j = 0; j < p; j++) f[F + j] = (f[N + j] - flux[F - p + j]) * s->ivol[F + j];
    double *lost = f + N + 3 * p;
    for (long j = 0; j < p; j++) {
        double bound = y[N + 3 * p + j];
        lost[j] = (m[SITES] * (1 - empty(m, y[N + j] - bound)) - bound) * release(m, T[j]);
    }
    for (long i = 0; i < N; i += p)
        for (long j = 0; j < p; j++) f[i + j] -= lost[j];
    for (long j = 0; j < p; j++) {
        double u = y[N + j], q = y[N + p + j], w = u / (1 + u), i = 1 / T[j], g = m[GDRY] + m[RISE] * (1 - fexp(-q));
        g = g * m[GSOLV] / ((1 - w) * m[GSOLV] + w * g);
        f[N + p + j] = m[RATE] * fexp(m[EX] * (m[IREF] - i) - (m[ORDER] - 1) * q) / (1 + fexp((g - T[j] - m[OFFSET]) / m[WIDTH]));
    }
    double k, h, skin, *t = f + N + 2 * p;
    conduct(s, m, d, &k, &h, &skin);
    long e = p - 1;
    double ends = h / (1 + h * s->fin);
    for (long j = 0; j < e; j++) t[j] = (ends * s->ends_m2[j] + (j == e - 1 ? skin : 0)) * (d[0] - heat[j]) + s->latent * s->share[j] * f[N + j];
    t[e] = m[BORE] * (d[0] - heat[e]);
    t[e - 1] += s->latent * s->share[e] * f[N + e];
    for (long j = 0; j < e - 1; j++) { double w = k * s->rings[j] * (heat[j + 1] - heat[j]); t[j] += w; t[j + 1] -= w; }
    double tube = k * s->tube_m * (heat[0] - heat[e]);
    t[0] -= tube;
    t[e] += tube;
    for (long j = 0; j < p; j++) t[j] *= s->icap[j];
}
typedef struct { double lo[MAXY], in[MAXY], up[MAXY], qu[MAXP], qt[MAXP], tu[MAXP]; } Lu;
static void factor(const Shape *s, const double *m, const double *d, const double *y, const double *f, double shift, double *restrict dry,
                   double *restrict swo, const double *restrict gla, const double *restrict flux, Lu *restrict L) {
    long p = s->p, n = s->n, N = n * p, F = N - p, e = p - 1;
    const double *iv = s->ivol;
    double T[MAXP];
    films(s, m, d, y + N + 2 * p, T);
    for (long i = 0; i < F; i += p)
        for (long j = 0; j < p; j++) {
            long k = i + j;
            double u = 0.5 * (y[k] + y[k + p]) + y[N + 3 * p + j], w = u / (1 + u), g = w < gla[k] ? w : gla[k];
            double part = dry[k] * fexp(-(m[RUBBER] * w + m[EXTRA] * g)), r = 1 / (part + swo[k]);
            double ch = 0.5 * flux[k] * (m[RUBBER] + (w < gla[k] ? m[EXTRA] : 0.0)) * part * r / ((1 + u) * (1 + u)), pl = s->idist[k] * r;
            dry[k] = ch - pl;
            swo[k] = ch + pl;
        }
    for (long j = 0; j < p; j++) { L->in[j] = 1 / (shift - dry[j] * iv[j]); L->up[j] = -swo[j] * iv[j]; }
    for (long i = 1; i < n - 1; i++)
        for (long k = i * p; k < i * p + p; k++) {
            L->lo[k] = dry[k - p] * iv[k] * L->in[k - p];
            L->up[k] = -swo[k] * iv[k];
            L->in[k] = 1 / (shift - (dry[k] - swo[k - p]) * iv[k] - L->lo[k] * L->up[k - p]);
        }
    double k, h, skin, *lo = L->lo + N + 2 * p, *in = L->in + N + 2 * p, *up = L->up + N + 2 * p;
    conduct(s, m, d, &k, &h, &skin);
    for (long j = 0; j < p; j++) {
        long q = F + j;
        slopes(m, T[j], y[q], d, s->reach[j], -flux[q - p], &L->qu[j], &L->qt[j]);
        if (j == e) L->qt[j] = 0;  // that node of the heat is the tube
        L->lo[q] = dry[q - p] * iv[q] * L->in[q - p];
        L->in[q] = 1 / (shift + (swo[q - p] + L->qu[j]) * iv[q] - L->lo[q] * L->up[q - p]);
        L->up[q] = L->qt[j] * iv[q];
        L->tu[j] = j == e ? 0 : s->latent * s->share[j] * s->icap[j];
        L->lo[N + 3 * p + j] = (1 + m[SITES] / m[REFILL] * empty(m, y[N + j] - y[N + 3 * p + j])) * release(m, T[j]);
        L->in[N + 3 * p + j] = 1 / (shift + L->lo[N + 3 * p + j]);
        L->in[N + j] = 1 / shift;
        L->in[N + p + j] = 1 / (shift + (m[ORDER] - 1) * f[N + p + j]);
        in[j] = L->tu[j] * L->qt[j] * (1 - L->qu[j] * L->in[q] * iv[q]);
    }
    double ends = h / (1 + h * s->fin), inwards = k * s->tube_m;
    in[e] = 1 / (shift + in[e] + (inwards + m[BORE]) * s->icap[e]);
    up[e] = -inwards * s->icap[e];
    for (long j = 0, before = e; j < e; before = j++) {
        double outwards = j < e - 1 ? k * s->rings[j] : 0, out = ends * s->ends_m2[j] + (j == e - 1 ? skin : 0) + inwards + outwards;
        up[j] = -outwards * s->icap[j];
        lo[j] = -inwards * s->icap[j] * in[before];
        in[j] = 1 / (shift + in[j] + out * s->icap[j] - lo[j] * up[before]);
        inwards = outwards;
    }
}
static void solve(const Shape *s, const Lu *restrict L, double *restrict b) {
    long p = s->p, N = s->n * p, F = N - p, e = p - 1;
    for (long j = N + 3 * p; j < N + 4 * p; j++) b[j] *= L->in[j];
    for (long i = 0; i < N; i += p)
        for (long j = 0; j < p; j++) b[i + j] += L->lo[N + 3 * p + j] * b[N + 3 * p + j];
    for (long i = p; i < N; i += p)
        for (long j = 0; j < p; j++) b[i + j] -= L->lo[i + j] * b[i + j - p];
    double *t = b + N + 2 * p, after = 0;
    const double *lo = L->lo + N + 2 * p, *in = L->in + N + 2 * p, *up = L->up + N + 2 * p;
    for (long j = 0; j < p; j++) t[j] -= L->tu[j] * L->qu[j] * L->in[F + j] * b[F + j];
    t[0] -= lo[0] * t[e];
    for (long j = 1; j < e; j++) t[j] -= lo[j] * t[j - 1];
    for (long j = e - 1; j >= 0; j--) after = t[j] = (t[j] - up[j] * after) * in[j];
    t[e] = (t[e] - up[e] * after) * in[e];
    for (long j = 0; j < p; j++) b[F + j] = (b[F + j] - L->up[F + j] * t[j]) * L->in[F + j];
    for (long i = F - p; i >= 0; i -= p)
        for (long j = 0; j < p; j++) b[i + j] = (b[i + j] - L->up[i + j] * b[i + j + p]) * L->in[i + j];
    for (long j = 0; j < p; j++) {
        b[N + j] = (b[N + j] - L->qu[j] * b[F + j] - L->qt[j] * t[j]) * L->in[N + j];
        b[N + p + j] *= L->in[N + p + j];
    }
}
static void drive(const double *a, double t, double *d) {
    double x = a[4] > a[0] ? (t - a[0]) / (a[4] - a[0]) : 0;
    for (int i = 0; i < 3; i++) d[i] = a[1 + i] + x * (a[5 + i] - a[1 + i]);
}
/* Carries y from 0 to the last knot; returns the number of steps tried. tol: u relative, u absolute, q, K, negative. */
long march_c(const Shape *s, const double *m, const double *knots, long count, const double *tol, double dt, double *y) {
    static double dry[MAXY], swo[MAXY], gla[MAXY], flux[MAXY], f[MAXY], tr[MAXY], u1[MAXY], u2[MAXY], u3[MAXY], u4[MAXY];
    static Lu L;
    long p = s->p, N = s->n * p, S = N + 4 * p, tries = 0;
    double t = 0, d[3];
    for (long g = 0; g + 1 < count; g++) {
        const double *a = knots + 4 * g;
        double until = a[4], grow = 4;
        while (t < until && tries < 20000) {
            double left = until - t, h = dt >= left ? left : (dt > 0.5 * left ? 0.5 * left : dt), inv = 1 / h;
            tries++;
            drive(a, t, d);
            rates(s, m, d, y, f, dry, swo, gla, flux);
            factor(s, m, d, y, f, 1 / (G * h), dry, swo, gla, flux, &L);
            memcpy(u1, f, S * sizeof *f);
            solve(s, &L, u1);
            for (long k = 0; k < S; k++) tr[k] = y[k] + A21 * u1[k];
            drive(a, t + AL2 * h, d);
            rates(s, m, d, tr, u2, dry, swo, gla, flux);
            for (long k = 0; k < S; k++) u2[k] += C21 * inv * u1[k];
            solve(s, &L, u2);
            for (long k = 0; k < S; k++) tr[k] = y[k] + A31 * u1[k] + A32 * u2[k];
            drive(a, t + AL3 * h, d);
            rates(s, m, d, tr, u3, dry, swo, gla, flux);
            for (long k = 0; k < S; k++) u3[k] += inv * (C31 * u1[k] + C32 * u2[k]);
            solve(s, &L, u3);
            for (long k = 0; k < S; k++) tr[k] = y[k] + A41 * u1[k] + A42 * u2[k] + A43 * u3[k];
            drive(a, t + h, d);
            rates(s, m, d, tr, u4, dry, swo, gla, flux);
            for (long k = 0; k < S; k++) u4[k] += inv * (C41 * u1[k] + C42 * u2[k] + C43 * u3[k]);
            solve(s, &L, u4);
            double wet = 0, cure = 0, warm = 0, held = 0, low = 0;
            for (long k = 0; k < S; k++) tr[k] += u4[k];
            for (long k = 0; k < N; k++) {
                double o = (E1 * u1[k] + E2 * u2[k] + E3 * u3[k] + E4 * u4[k]) / (tol[1] + tol[0] * fabs(y[k]));
                wet += o * o;
                low = tr[k] < low ? tr[k] : low;
            }
            for (long k = N + p; k < S; k++) {
                double o = E1 * u1[k] + E2 * u2[k] + E3 * u3[k] + E4 * u4[k];
                if (k < N + 2 * p) cure += o * o;
                else if (k < N + 3 * p) warm += o * o;
                else { o /= tol[1] + tol[0] * fabs(y[k]); held += o * o; low = tr[k] < low ? tr[k] : low; }
            }
            double off = sqrt(fmax(wet / N, fmax(fmax(cure / (tol[2] * tol[2]), warm / (tol[3] * tol[3])), held) / p));
            if (!(off < 1e15)) off = 1e30; else if (low < -tol[4]) off = 8;
            if (off <= 1) {
                for (long k = 0; k < S; k++) y[k] = tr[k];
                for (long k = 0; k < N; k++) if (y[k] < 0) { y[N + k % p] -= s->vol[k / p] * y[k]; y[k] = 0; }
                for (long j = 0; j < p; j++) if (y[N + 3 * p + j] < 0) { y[N + j] -= y[N + 3 * p + j]; y[N + 3 * p + j] = 0; }
                t = h == left ? until : t + h;
                double next = h * fmin(grow, 0.9 / cbrt(fmax(off, 1e-3)));
                dt = h < dt && off < 0.5 ? fmax(next, dt) : next;
                grow = 4;
            } else {
                dt = h * (off < 1e30 ? fmax(0.1, fmin(0.75, 0.75 / sqrt(off))) : 0.1);
                grow = 1;
            }
        }
    }
    return tries;
}
