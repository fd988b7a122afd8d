//! Uma contradição em uma página: a frase, e as provas no tempo, em SVG; o diagrama é do módulo `espaco_tempo`.
//! O desenho para o terminal, e a ordem das provas, estão na auditoria; aqui só se desenha.

use std::time::Duration;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::espaco_tempo;
use super::graficos::{self, Erro, Quadro, Tela};
use crate::auditoria::desenho::{Linha, Periodo, letras};
use crate::auditoria::violacao::{Leitura, Origem, Violacao};
use crate::tempo::rotulo_de_tempo;

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
    /// O que a explicação responde.
    pub pergunta: &'static str,
    /// Por que nenhuma ordem a explica.
    pub explicacao: String,
    /// O diagrama de espaço e tempo, para uma tela larga.
    pub diagrama_largo: String,
    /// O mesmo, em um telefone.
    pub diagrama_estreito: String,
}

impl Contradicao {
    /// A que `violacao` diz.
    pub fn de(violacao: &Violacao) -> Self {
        let [larga, estreita] = [Tela::Larga, Tela::Estreita].map(|tela| em_svg(violacao, tela));
        let diagrama = |tela| espaco_tempo::em_svg(violacao, tela);
        Contradicao {
            frase: violacao.to_string(),
            descricao: violacao.descricao(),
            larga,
            estreita,
            // Do AVISO não há ordem a procurar: ele chegou, ou não, a quem devia.
            pergunta: if violacao.regra.do_estoque() {
                "Por que nenhuma ordem explica"
            } else {
                "Por que está errado"
            },
            explicacao: violacao.explicacao(),
            diagrama_largo: diagrama(Tela::Larga),
            diagrama_estreito: diagrama(Tela::Estreita),
        }
    }
}

/// As mesmas barras em SVG, com os textos de cada uma acima dela.
fn em_svg(violacao: &Violacao, tela: Tela) -> String {
    let provas = violacao.no_tempo();
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
            self.quadro.draw_text(&rotulo_de_tempo(&instante), &estilo, (x, base + 4))?;
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
        let cor = match leitura.origem {
            Origem::Consulta => graficos::CONSULTA,
            Origem::Venda | Origem::VendaSemNumero => graficos::COMPRA,
            Origem::Recusa => graficos::RECUSA,
            Origem::Aviso => graficos::AVISO,
            Origem::Silencio => graficos::CONEXAO,
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
    use crate::auditoria::violacao::exemplos::{leitura, qualquer_leitura, violacao};
    use proptest::prelude::*;

    #[test]
    fn provas_sem_duracao_ou_sem_provas_tambem_se_desenham() {
        let uma = violacao(&[leitura(1, 5, 5, Origem::Consulta, -1)]);
        assert!(em_svg(&uma, Tela::Larga).contains("usuário 1 · CONSULTAR · leu -1 · 0,005000 s"));
        assert_eq!(em_svg(&violacao(&[]), Tela::Estreita), "");
    }

    #[test]
    fn as_marcas_do_tempo_sao_redondas() {
        let marcas = |duracao, quantas| {
            let marcas = marcas(duracao, quantas);
            marcas.iter().map(rotulo_de_tempo).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(marcas(0.001367, 4), "0 500 µs 1 ms");
        assert_eq!(
            marcas(0.1, 10),
            "0 10 ms 20 ms 30 ms 40 ms 50 ms 60 ms 70 ms 80 ms 90 ms 100 ms"
        );
        assert_eq!(marcas(0.0, 10), "0");
    }

    proptest! {
        /// O desenho fica dentro dela, em qualquer tela.
        #[test]
        fn as_barras_da_pagina_ficam_dentro_dela(
            provas in proptest::collection::vec(qualquer_leitura(), 1..4),
        ) {
            for tela in [Tela::Larga, Tela::Estreita] {
                let svg = em_svg(&violacao(&provas), tela);
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
