//! O desenho de uma contradição no tempo: quem pediu o quê, o que ouviu, e de quando a quando. Um para o
//! terminal, que cabe em [`COLUNAS`], e um em SVG, para as páginas. Só desenha; quem acha as contradições é
//! [`crate::auditoria`].
//!
//! Barras que se cruzam são operações que estavam em curso juntas. Se falta lugar, quem encolhe é a barra, e
//! depois a linha se divide: os fatos aparecem inteiros.

use std::time::Duration;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::graficos::{self, Erro, Quadro, Tela};
use crate::parecer::{Leitura, Que, Violacao, segundos};

/// A largura de um terminal comum, em colunas.
const COLUNAS: usize = 80;

/// A barra que se quer, e a menor que ainda mostra o que se cruza.
const BARRA: usize = 20;
const MENOR_BARRA: usize = 8;

/// Uma contradição em uma página: o modelo `contradicao.html` a mostra.
#[derive(Debug)]
pub struct Contradicao {
    /// O que se contradisse.
    pub frase: String,
    /// As provas, para quem não vê o desenho.
    pub descricao: String,
    /// O desenho para uma tela larga.
    pub larga: String,
    /// O mesmo, em um telefone.
    pub estreita: String,
}

impl Contradicao {
    /// A que `violacao` diz.
    pub fn de(violacao: &Violacao) -> Self {
        let [larga, estreita] = [Tela::Larga, Tela::Estreita].map(|tela| violacao.em_svg(tela));
        Contradicao {
            frase: violacao.to_string(),
            descricao: violacao.descricao(),
            larga,
            estreita,
        }
    }
}

/// Uma prova, com os textos que a acompanham.
struct Linha<'a> {
    leitura: &'a Leitura,
    quem: String,
    ouvido: String,
    quando: String,
}

impl<'a> Linha<'a> {
    fn de(leitura: &'a Leitura) -> Self {
        let (inicio, fim) = (leitura.inicio, leitura.fim);
        let quando = match segundos(inicio).strip_suffix(" s") {
            Some(desde) if inicio != fim => format!("{desde} a {}", segundos(fim)),
            _ => segundos(fim),
        };
        let quem = format!("usuário {}", leitura.usuario);
        Linha { leitura, quem, ouvido: leitura.ouvido(), quando }
    }

    fn pedido(&self) -> &'static str {
        self.leitura.pedido()
    }
}

/// Onde ficam os textos e a barra de cada prova: os textos se alinham entre as provas.
enum Disposicao {
    /// Tudo em uma linha, com uma barra desta largura.
    Uma(usize),
    /// A barra e os instantes na linha de baixo.
    Duas(usize),
    /// O mesmo, e o que se ouviu em uma linha só dele: é um número que só um servidor errado diz.
    Tres(usize),
}

/// As larguras das colunas de texto.
struct Larguras {
    quem: usize,
    pedido: usize,
    ouvido: usize,
    quando: usize,
}

impl Larguras {
    fn de(linhas: &[Linha<'_>]) -> Self {
        let maior =
            |texto: &dyn Fn(&Linha<'_>) -> usize| linhas.iter().map(texto).max().unwrap_or(0);
        Larguras {
            quem: maior(&|linha| letras(&linha.quem)),
            pedido: maior(&|linha| letras(linha.pedido())),
            ouvido: maior(&|linha| letras(&linha.ouvido)),
            quando: maior(&|linha| letras(&linha.quando)),
        }
    }

    fn disposicao(&self) -> Disposicao {
        let textos = 2 + self.quem + 1 + self.pedido + 1 + self.ouvido;
        // Um espaço de cada lado da barra.
        let ao_lado = COLUNAS.saturating_sub(textos + 1 + 1 + self.quando);
        let embaixo = COLUNAS.saturating_sub(4 + 1 + self.quando);
        match () {
            () if ao_lado >= MENOR_BARRA => Disposicao::Uma(ao_lado.min(BARRA)),
            () if textos <= COLUNAS => Disposicao::Duas(embaixo.min(2 * BARRA)),
            () => Disposicao::Tres(embaixo.min(2 * BARRA)),
        }
    }
}

fn letras(texto: &str) -> usize {
    texto.chars().count()
}

impl Violacao {
    /// As provas no tempo, na ordem em que começaram, em linhas que cabem em um terminal.
    pub fn intercalacao(&self) -> String {
        let provas = self.no_tempo();
        let linhas: Vec<Linha<'_>> = provas.iter().map(Linha::de).collect();
        let larguras = Larguras::de(&linhas);
        let disposicao = larguras.disposicao();
        let periodo = Periodo::de(&provas);
        linhas.iter().map(|linha| escrever(linha, &larguras, &disposicao, periodo)).collect()
    }

    /// As mesmas linhas, em uma frase, para quem não vê o desenho.
    fn descricao(&self) -> String {
        let provas = self.no_tempo();
        let linha = |leitura: &Leitura| {
            let linha = Linha::de(leitura);
            let pedido = linha.pedido();
            let pediu = if pedido.is_empty() { "".into() } else { format!(" pediu {pedido}") };
            format!("{}{pediu}: {}, {}", linha.quem, linha.ouvido, linha.quando)
        };
        provas.iter().map(linha).collect::<Vec<_>>().join("; ")
    }

    /// As mesmas barras em SVG, com os textos de cada uma acima dela.
    fn em_svg(&self, tela: Tela) -> String {
        let provas = self.no_tempo();
        if provas.is_empty() {
            return String::new();
        }
        let textos: Vec<Vec<String>> = provas.iter().map(|prova| textos(prova, tela)).collect();
        let alturas: Vec<i32> =
            textos.iter().map(|linhas| LETRA * linhas.len() as i32 + ESPESSURA + 14).collect();
        let periodo = Periodo::de(&provas);
        let altura = alturas.iter().sum::<i32>() + 2 * MARGEM + EIXO;
        graficos::desenhar(tela, altura as u32, |quadro| {
            let plano = Plano { quadro, periodo, largura: tela.largura() as i32 };
            plano.eixo(altura, tela)?;
            let mut topo = MARGEM;
            for ((prova, textos), altura) in provas.iter().zip(&textos).zip(&alturas) {
                plano.prova(prova, textos, topo)?;
                topo += altura;
            }
            Ok(())
        })
    }

    /// As provas, na ordem em que começaram. O AVISO ninguém pediu: só se sabe quando chegou.
    fn no_tempo(&self) -> Vec<Leitura> {
        let mut provas = self.provas.clone();
        for aviso in provas.iter_mut().filter(|leitura| leitura.que == Que::Aviso) {
            aviso.inicio = aviso.fim;
        }
        provas.sort_by_key(|leitura| leitura.inicio);
        provas
    }
}

/// Do começo da primeira prova ao fim da última.
#[derive(Debug, Clone, Copy)]
struct Periodo {
    comeco: Duration,
    fim: Duration,
}

impl Periodo {
    fn de(provas: &[Leitura]) -> Self {
        let comeco = provas.iter().map(|prova| prova.inicio).min().unwrap_or_default();
        let fim = provas.iter().map(|prova| prova.fim).max().unwrap_or_default();
        Periodo { comeco, fim }
    }

    fn duracao(self) -> f64 {
        self.fim.saturating_sub(self.comeco).as_secs_f64()
    }

    /// Onde cai `instante`, de 0 a `ultima`.
    fn posicao(self, instante: Duration, ultima: usize) -> usize {
        let fracao = instante.saturating_sub(self.comeco).as_secs_f64() / self.duracao();
        // Sem duração alguma a conta não é um número, e vira a posição zero.
        (fracao * ultima as f64).round() as usize
    }
}

fn escrever(
    linha: &Linha<'_>,
    larguras: &Larguras,
    disposicao: &Disposicao,
    periodo: Periodo,
) -> String {
    let Larguras { quem, pedido, ouvido, quando } = *larguras;
    let inicio = format!("  {:quem$} {:pedido$}", linha.quem, linha.pedido());
    let barra =
        |largura| format!("{} {:>quando$}", barra(linha.leitura, periodo, largura), linha.quando);
    match *disposicao {
        Disposicao::Uma(largura) => {
            format!("{inicio} {:ouvido$} {}\n", linha.ouvido, barra(largura))
        }
        Disposicao::Duas(largura) => {
            format!("{inicio} {}\n    {}\n", linha.ouvido, barra(largura))
        }
        Disposicao::Tres(largura) => {
            format!("{}\n    {}\n    {}\n", inicio.trim_end(), linha.ouvido, barra(largura))
        }
    }
}

fn barra(leitura: &Leitura, periodo: Periodo, largura: usize) -> String {
    let ultima = largura.saturating_sub(1);
    let [de, ate] = [leitura.inicio, leitura.fim].map(|quando| periodo.posicao(quando, ultima));
    let desenho = match ate.saturating_sub(de) {
        0 => "│".into(),
        passos => format!("├{}┤", "─".repeat(passos - 1)),
    };
    format!("{}{desenho}{}", " ".repeat(de), " ".repeat(ultima.saturating_sub(ate)))
}

// As medidas do SVG, em pixels.
const MARGEM: i32 = 8;
const LETRA: i32 = 20;
const ESPESSURA: i32 = 10;
const EIXO: i32 = 26;

/// As linhas de texto de uma prova, as que a tela pede.
fn textos(leitura: &Leitura, tela: Tela) -> Vec<String> {
    // Mais ou menos o que cabe: a letra média tem uns sete pixels.
    let cabem = (tela.largura() / 7) as usize;
    let linha = Linha::de(leitura);
    let mut linhas = vec![linha.quem.clone()];
    let pedido = Some(linha.pedido().to_owned()).filter(|pedido| !pedido.is_empty());
    for parte in pedido.into_iter().chain([linha.ouvido, linha.quando]) {
        match linhas.last_mut() {
            Some(ultima) if letras(ultima) + 3 + letras(&parte) <= cabem => {
                *ultima += &format!(" · {parte}");
            }
            _ => linhas.push(parte),
        }
    }
    linhas
}

/// De zero a `duracao`, em passos redondos, no máximo tantas marcas além do zero.
fn marcas(duracao: f64, quantas: usize) -> Vec<f64> {
    if duracao <= 0.0 {
        return vec![0.0];
    }
    let minimo = duracao / quantas as f64;
    let potencia = 10_f64.powf(minimo.log10().floor());
    let redondos = [1.0, 2.0, 5.0, 10.0].map(|vezes| vezes * potencia);
    let passo = redondos.into_iter().find(|passo| *passo >= minimo).unwrap_or(minimo);
    (0..=(duracao / passo) as usize).map(|marca| marca as f64 * passo).collect()
}

/// Onde se desenham as barras: o tempo, da primeira à última, na largura toda.
struct Plano<'a, 'b> {
    quadro: &'a Quadro<'b>,
    periodo: Periodo,
    largura: i32,
}

impl Plano<'_, '_> {
    fn x(&self, instante: Duration) -> i32 {
        let util = (self.largura - 2 * MARGEM) as usize;
        MARGEM + self.periodo.posicao(instante, util) as i32
    }

    /// As marcas do tempo, a contar da primeira prova, e uma linha de alto a baixo em cada uma.
    fn eixo(&self, altura: i32, tela: Tela) -> Result<(), Erro> {
        let base = altura - MARGEM - EIXO + 6;
        let util = f64::from(self.largura - 2 * MARGEM);
        for instante in marcas(self.periodo.duracao(), tela.marcas()) {
            let fracao = if instante > 0.0 { instante / self.periodo.duracao() } else { 0.0 };
            let x = MARGEM + (util * fracao).round() as i32;
            let risco = [(x, MARGEM), (x, base)];
            self.quadro.draw(&PathElement::new(risco, graficos::GRADE))?;
            let lado = match fracao {
                f if f < 0.05 => HPos::Left,
                f if f > 0.95 => HPos::Right,
                _ => HPos::Center,
            };
            let estilo = graficos::letra(13).pos(Pos::new(lado, VPos::Top));
            self.quadro.draw_text(&graficos::rotulo_de_tempo(&instante), &estilo, (x, base + 4))?;
        }
        Ok(())
    }

    fn prova(&self, leitura: &Leitura, textos: &[String], topo: i32) -> Result<(), Erro> {
        let estilo = graficos::letra(16);
        let mut y = topo;
        for texto in textos {
            self.quadro.draw_text(texto, &estilo, (MARGEM, y))?;
            y += LETRA;
        }
        let cor = match leitura.que {
            Que::Consulta => graficos::CONSULTA,
            Que::Venda | Que::VendaSemNumero => graficos::COMPRA,
            Que::Recusa => graficos::RECUSA,
            Que::Aviso => graficos::AVISO,
            Que::Silencio => graficos::PRESENCA,
        };
        let (de, ate) = (self.x(leitura.inicio), self.x(leitura.fim));
        // Um instante também se vê.
        let ate = ate.max(de + 3);
        let caixa = [(de, y), (ate, y + ESPESSURA)];
        self.quadro.draw(&Rectangle::new(caixa, cor.filled()))?;
        Ok(())
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::parecer::Regra;
    use proptest::prelude::*;

    fn leitura(usuario: usize, inicio: u64, fim: u64, que: Que, valor: i128) -> Leitura {
        let [inicio, fim] = [inicio, fim].map(Duration::from_millis);
        Leitura { usuario, inicio, fim, que, valor }
    }

    fn violacao(provas: &[Leitura]) -> Violacao {
        Violacao { regra: Regra::EstoqueSubiu, quando: Duration::ZERO, provas: provas.to_vec() }
    }

    fn desenho(provas: &[Leitura]) -> String {
        violacao(provas).intercalacao()
    }

    #[test]
    fn as_provas_vem_na_ordem_em_que_comecaram_e_alinhadas() {
        let provas = [leitura(39, 23, 46, Que::Consulta, 7), leitura(1, 0, 23, Que::Venda, -1)];
        assert_eq!(
            desenho(&provas),
            "  usuário 1  COMPRAR   comprou, restaram -1 ├──────┤       0,000000 a 0,023000 s\n  \
             usuário 39 CONSULTAR leu 7                       ├─────┤ 0,023000 a 0,046000 s\n"
        );
    }

    #[test]
    fn o_aviso_e_um_instante_e_o_silencio_e_uma_espera() {
        // Ninguém pediu o AVISO: o começo dele não se desenha.
        let provas = [leitura(2, 0, 123, Que::Aviso, 0), leitura(1, 100, 123, Que::Recusa, 0)];
        assert_eq!(
            desenho(&provas),
            "  usuário 1 COMPRAR ouviu que esgotou ├──────────────────┤ 0,100000 a 0,123000 s\n  \
             usuário 2         recebeu o AVISO                      │            0,123000 s\n"
        );
        let provas = [leitura(2, 0, 23, Que::Silencio, 0), leitura(1, 9, 10, Que::Venda, 0)];
        assert_eq!(
            desenho(&provas),
            "  usuário 2         não recebeu o AVISO ├────────────────┤ 0,000000 a 0,023000 s\n  \
             usuário 1 COMPRAR comprou, restaram 0        │           0,009000 a 0,010000 s\n"
        );
    }

    #[test]
    fn o_que_nao_cabe_em_uma_linha_vai_em_duas_ou_tres() {
        let duas =
            [leitura(12345, 0, 23, Que::Consulta, 7), leitura(1, 9, 23, Que::Venda, -1234567)];
        assert_eq!(
            desenho(&duas),
            "  usuário 12345 CONSULTAR leu 7\n    \
             ├──────────────────────────────────────┤ 0,000000 a 0,023000 s\n  \
             usuário 1     COMPRAR   comprou, restaram -1234567\n                   \
             ├───────────────────────┤ 0,009000 a 0,023000 s\n"
        );
        let tres = [leitura(usize::MAX, 1, 2, Que::Venda, i128::MIN)];
        let linhas: Vec<String> = desenho(&tres).lines().map(|linha| linha.trim().into()).collect();
        assert_eq!(linhas[0], format!("usuário {} COMPRAR", usize::MAX));
        assert_eq!(linhas[1], format!("comprou, restaram {}", i128::MIN));
        assert!(linhas[2].ends_with("┤ 0,001000 a 0,002000 s"), "{linhas:?}");
    }

    #[test]
    fn provas_sem_duracao_ou_sem_provas_tambem_se_desenham() {
        let uma = violacao(&[leitura(1, 5, 5, Que::Consulta, -1)]);
        let vazio = " ".repeat(BARRA);
        assert_eq!(
            uma.intercalacao(),
            format!("  usuário 1 CONSULTAR leu -1 │{}0,005000 s\n", vazio)
        );
        assert!(uma.em_svg(Tela::Larga).contains("usuário 1 · CONSULTAR · leu -1 · 0,005000 s"));
        let nenhuma = violacao(&[]);
        assert_eq!(nenhuma.intercalacao() + &nenhuma.em_svg(Tela::Estreita), "");
    }

    #[test]
    fn quem_nao_ve_o_desenho_ouve_as_mesmas_provas() {
        let provas = [leitura(2, 0, 123, Que::Aviso, 0), leitura(1, 100, 123, Que::Recusa, 0)];
        assert_eq!(
            violacao(&provas).descricao(),
            "usuário 1 pediu COMPRAR: ouviu que esgotou, 0,100000 a 0,123000 s; \
             usuário 2: recebeu o AVISO, 0,123000 s"
        );
    }

    #[test]
    fn as_marcas_do_tempo_sao_redondas() {
        let marcas = |duracao, quantas| {
            let marcas = marcas(duracao, quantas);
            marcas.iter().map(graficos::rotulo_de_tempo).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(marcas(0.001367, 4), "0 500 µs 1 ms");
        assert_eq!(
            marcas(0.1, 10),
            "0 10 ms 20 ms 30 ms 40 ms 50 ms 60 ms 70 ms 80 ms 90 ms 100 ms"
        );
        assert_eq!(marcas(0.0, 10), "0");
    }

    prop_compose! {
        fn qualquer_leitura()(
            usuario: usize,
            instantes: [Duration; 2],
            pequenos: bool,
            valor: i128,
            qual in 0..5_usize,
        ) -> Leitura {
            // Do que há no mundo, e do que só um servidor hostil faria haver.
            let [um, outro] = instantes.map(|i| if pequenos { i / (1 << 31) / (1 << 31) } else { i });
            let que = [Que::Consulta, Que::Venda, Que::Recusa, Que::Aviso, Que::Silencio][qual];
            let (usuario, valor) =
                if pequenos { (usuario % 100_000, valor % 10_000_000) } else { (usuario, valor) };
            Leitura { usuario, inicio: um.min(outro), fim: um.max(outro), que, valor }
        }
    }

    proptest! {
        /// O desenho cabe no terminal, diga o servidor o que disser, e nenhum fato fica de fora.
        #[test]
        fn nada_passa_de_80_colunas_e_os_fatos_aparecem_inteiros(
            provas in proptest::collection::vec(qualquer_leitura(), 1..4),
        ) {
            let desenho = desenho(&provas);
            for linha in desenho.lines() {
                prop_assert!(letras(linha) <= COLUNAS, "{} em:\n{}", letras(linha), desenho);
            }
            for prova in &provas {
                for fato in [format!("usuário {}", prova.usuario), prova.ouvido(), segundos(prova.fim)] {
                    prop_assert!(desenho.contains(&fato), "falta '{}' em:\n{}", fato, desenho);
                }
            }
            prop_assert!(desenho.matches(['├', '│']).count() == provas.len(), "{}", desenho);
        }

        /// E o da página fica dentro dela, em qualquer tela.
        #[test]
        fn as_barras_da_pagina_ficam_dentro_dela(
            provas in proptest::collection::vec(qualquer_leitura(), 1..4),
        ) {
            for tela in [Tela::Larga, Tela::Estreita] {
                let svg = violacao(&provas).em_svg(tela);
                let caixas: Vec<&str> = svg.split("<rect ").skip(1).collect();
                prop_assert_eq!(caixas.len(), provas.len());
                for caixa in caixas {
                    let numero = |nome: &str| -> i64 {
                        let (_, resto) = caixa.split_once(&format!("{nome}=\"")).unwrap();
                        resto.split_once('"').unwrap().0.parse().unwrap()
                    };
                    let (x, largura) = (numero("x"), numero("width"));
                    prop_assert!(x >= 0 && largura > 0, "{}", svg);
                    prop_assert!(x + largura <= i64::from(tela.largura()), "{}", svg);
                }
            }
        }
    }
}
