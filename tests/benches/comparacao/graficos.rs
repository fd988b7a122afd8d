//! Os gráficos da comparação, em SVG, com o plotters. Só desenha o que já se mediu.
//!
//! Não têm fundo e usam só cores de meio-tom: leem-se no papel e em uma página escura. Cada um diz, em
//! cima, o que mostra e, embaixo, em que máquina e em que dia.

use std::fs;
use std::io;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::aviso::Transmissao;
use crate::pares::Par;
use crate::relatorio::{
    Repetida, Resultado, descrever_rodadas, inteiro, mediana_de, numero, tempo,
};
use crate::vazao::Quadro;

const TEXTO: RGBColor = RGBColor(0x76, 0x83, 0x90);
const LARGURA: u32 = 960;

/// Faixas do desenho, em pixels.
const TITULO: i32 = 56;
const RODAPE: i32 = 30;
const LINHA: i32 = 26;
const NOMES: i32 = 150;
/// Ao fim de uma barra cabe o valor dela.
const VALOR: i32 = 84;

type Quadrado<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Erro = DrawingAreaErrorKind<io::Error>;

/// Barras deitadas: um par por linha, um painel por coluna, cada painel com a sua escala.
struct Barras {
    titulo: &'static str,
    paineis: Vec<Painel>,
    logaritmica: bool,
}

struct Painel {
    titulo: String,
    barras: Vec<(Par, Option<f64>)>,
    rotulo: fn(Option<f64>) -> String,
}

/// Escreve em `pasta` os gráficos do que foi medido, e diz quais.
///
/// # Errors
///
/// A pasta não aceita um arquivo.
pub fn escrever(resultado: &Resultado, pasta: &Path) -> io::Result<Vec<String>> {
    let rodadas = descrever_rodadas(&resultado.tempos);
    let rodape = format!("medianas de {rodadas}; {}", resultado.maquina.descrever());
    let desenhos = [
        ("vazao.svg", barras(&vazao(resultado), &rodape)),
        ("conexoes.svg", conexoes(resultado, &rodape)),
        ("memoria.svg", barras(&memoria(resultado), &rodape)),
        ("aviso.svg", barras(&aviso(resultado), &rodape)),
    ];
    let mut escritos = Vec::new();
    for (nome, svg) in desenhos {
        if let Some(svg) = svg.map_err(io::Error::other)? {
            fs::write(pasta.join(nome), svg)?;
            escritos.push(nome.into());
        }
    }
    Ok(escritos)
}

fn vazao(resultado: &Resultado) -> Barras {
    let cinquenta = resultado.rapidos.iter().filter(|quadro| quadro.celula.conexoes == 50);
    let painel = |quadro: &Quadro| Painel {
        titulo: match quadro.celula.em_voo {
            1 => "1 pedido em voo em cada".into(),
            em_voo => format!("{em_voo} em voo"),
        },
        barras: por_par(|par| quadro.mediana(par, |amostra| amostra.vazao)),
        rotulo: inteiro,
    };
    Barras {
        titulo: "Comandos por segundo, com 50 conexões",
        paineis: cinquenta.map(painel).collect(),
        logaritmica: false,
    }
}

fn memoria(resultado: &Resultado) -> Barras {
    let medidas = &resultado.memoria;
    let de = |par| mediana_de(medidas, par, |parada| parada.atendida);
    let barras: Vec<(Par, Option<f64>)> =
        por_par(de).into_iter().filter(|(_, valor)| valor.is_some()).collect();
    let painel = Painel {
        titulo: "escala logarítmica".into(),
        barras,
        rotulo: |bytes| format!("{} B", inteiro(bytes)),
    };
    Barras {
        titulo: "Memória do processo por conexão parada, depois de uma resposta",
        paineis: if medidas.is_empty() { Vec::new() } else { vec![painel] },
        logaritmica: true,
    }
}

fn aviso(resultado: &Resultado) -> Barras {
    let painel = |(ouvintes, avisos): &(usize, Vec<Repetida<Transmissao>>)| Painel {
        titulo: format!("{ouvintes} conexões"),
        barras: avisos
            .iter()
            .map(|repetida| (repetida.par, repetida.mediana(|aviso| aviso.ultimo)))
            .collect(),
        rotulo: tempo,
    };
    Barras {
        titulo: "Da última venda ao AVISO na última conexão (no Redis, PUBLISH)",
        paineis: resultado.avisos.iter().map(painel).collect(),
        logaritmica: false,
    }
}

fn por_par(valor: impl Fn(Par) -> Option<f64>) -> Vec<(Par, Option<f64>)> {
    Par::RAPIDOS.into_iter().map(|par| (par, valor(par))).collect()
}

fn cor(par: Par) -> RGBColor {
    match par {
        Par::Servidor | Par::ServidorLivro => RGBColor(0x2d, 0xa4, 0x4e),
        Par::ServidorRegistro => RGBColor(0x8a, 0xc9, 0x96),
        Par::Eco => RGBColor(0x9a, 0xa4, 0xae),
        Par::Threads => RGBColor(0xbf, 0x87, 0x00),
        Par::Enunciado => RGBColor(0xa4, 0x75, 0xf9),
        Par::Redis | Par::RedisDuravel => RGBColor(0xe0, 0x52, 0x4a),
        Par::Memcached | Par::Postgres => RGBColor(0x3d, 0x8b, 0xe8),
    }
}

fn texto(tamanho: i32, horizontal: HPos) -> TextStyle<'static> {
    let estilo = ("sans-serif", tamanho).into_font().color(&TEXTO);
    estilo.pos(Pos::new(horizontal, VPos::Center))
}

/// Um desenho com título e rodapé; `None`, se não há o que desenhar.
fn desenhar(
    titulo: &str,
    rodape: &str,
    altura: i32,
    pintar: impl FnOnce(&Quadrado<'_>) -> Result<(), Erro>,
) -> Result<Option<String>, Erro> {
    let mut svg = String::new();
    {
        let tamanho = (LARGURA, altura as u32);
        let quadro = SVGBackend::with_string(&mut svg, tamanho).into_drawing_area();
        quadro.draw(&Text::new(titulo.to_owned(), (12, 18), texto(17, HPos::Left)))?;
        let onde = (LARGURA as i32 - 12, altura - 12);
        quadro.draw(&Text::new(rodape.to_owned(), onde, texto(12, HPos::Right)))?;
        pintar(&quadro)?;
        quadro.present()?;
    }
    Ok(Some(svg))
}

fn barras(grafico: &Barras, rodape: &str) -> Result<Option<String>, Erro> {
    let Some(primeiro) = grafico.paineis.first() else { return Ok(None) };
    let altura = TITULO + LINHA * primeiro.barras.len() as i32 + RODAPE;
    let largura = (LARGURA as i32 - NOMES) / grafico.paineis.len() as i32;
    desenhar(grafico.titulo, rodape, altura, |quadro| {
        for (linha, (par, _)) in primeiro.barras.iter().enumerate() {
            let onde = (NOMES - 10, TITULO + LINHA * linha as i32 + LINHA / 2);
            quadro.draw(&Text::new(par.nome(), onde, texto(14, HPos::Right)))?;
        }
        for (coluna, painel) in grafico.paineis.iter().enumerate() {
            let esquerda = NOMES + largura * coluna as i32;
            let onde = (esquerda, TITULO - 12);
            quadro.draw(&Text::new(painel.titulo.clone(), onde, texto(13, HPos::Left)))?;
            pintar_painel(quadro, painel, esquerda, largura - VALOR, grafico.logaritmica)?;
        }
        Ok(())
    })
}

fn pintar_painel(
    quadro: &Quadrado<'_>,
    painel: &Painel,
    esquerda: i32,
    largura: i32,
    logaritmica: bool,
) -> Result<(), Erro> {
    let maior = painel.barras.iter().filter_map(|(_, valor)| *valor).fold(0.0, f64::max);
    let escala = |valor: f64| match logaritmica {
        // Uma barra logarítmica não começa em zero: aqui, em um.
        true => valor.max(1.0).ln() / maior.max(2.0).ln(),
        false => valor / maior,
    };
    for (linha, (par, valor)) in painel.barras.iter().enumerate() {
        let cima = TITULO + LINHA * linha as i32;
        let comprimento = (f64::from(largura) * valor.map_or(0.0, escala)).round() as i32;
        let cantos = [(esquerda, cima + 4), (esquerda + comprimento, cima + LINHA - 4)];
        quadro.draw(&Rectangle::new(cantos, cor(*par).filled()))?;
        let onde = (esquerda + comprimento + 6, cima + LINHA / 2);
        quadro.draw(&Text::new((painel.rotulo)(*valor), onde, texto(13, HPos::Left)))?;
    }
    Ok(())
}

/// A CPU por comando conforme as conexões crescem, com um pedido em voo em cada.
fn conexoes(resultado: &Resultado, rodape: &str) -> Result<Option<String>, Erro> {
    let de_um = || resultado.rapidos.iter().filter(|quadro| quadro.celula.em_voo == 1);
    let curva = |par: Par| -> Vec<(f64, f64)> {
        let ponto = |quadro: &Quadro| {
            Some((quadro.celula.conexoes as f64, quadro.mediana(par, |amostra| amostra.cpu)?))
        };
        de_um().filter_map(ponto).collect()
    };
    let curvas: Vec<(Par, Vec<(f64, f64)>)> =
        Par::RAPIDOS.into_iter().map(|par| (par, curva(par))).collect();
    let maior = curvas.iter().flat_map(|(_, c)| c.iter().map(|(_, y)| *y)).fold(0.0, f64::max);
    if de_um().count() < 2 || maior == 0.0 {
        return Ok(None);
    }
    let titulo =
        "CPU do servidor por comando, em µs, conforme as conexões (um pedido em voo em cada)";
    desenhar(titulo, rodape, 400, |quadro| {
        let meio = quadro.margin(TITULO - 20, RODAPE, 0, 170);
        let mut plano = ChartBuilder::on(&meio)
            .x_label_area_size(28)
            .y_label_area_size(44)
            .build_cartesian_2d((0.9..11_000.0).log_scale(), 0.0..maior * 1.05)?;
        plano
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(TEXTO.mix(0.25))
            .axis_style(TEXTO.mix(0.6))
            .label_style(("sans-serif", 13).into_font().color(&TEXTO))
            .x_labels(6)
            .x_label_formatter(&|x| inteiro(Some(*x)))
            .y_label_formatter(&|y| numero(Some(*y), 0))
            .draw()?;
        for (par, curva) in &curvas {
            let ponto = |ponto: &(f64, f64)| Circle::new(*ponto, 4, cor(*par).filled());
            plano.draw_series(LineSeries::new(curva.clone(), cor(*par).stroke_width(2)))?;
            plano.draw_series(curva.iter().map(ponto))?;
        }
        legenda(quadro, &curvas)
    })
}

/// À direita, um par por linha, de cima para baixo como as curvas terminam.
fn legenda(quadro: &Quadrado<'_>, curvas: &[(Par, Vec<(f64, f64)>)]) -> Result<(), Erro> {
    let mut fins: Vec<(Par, f64)> =
        curvas.iter().filter_map(|(par, curva)| Some((*par, curva.last()?.1))).collect();
    fins.sort_by(|(_, um), (_, outro)| outro.total_cmp(um));
    let esquerda = LARGURA as i32 - 158;
    for (linha, (par, fim)) in fins.iter().enumerate() {
        let meio = TITULO + 8 + LINHA * linha as i32;
        let cantos = [(esquerda, meio - 5), (esquerda + 10, meio + 5)];
        quadro.draw(&Rectangle::new(cantos, cor(*par).filled()))?;
        let rotulo = format!("{} {}", par.nome(), numero(Some(*fim), 1));
        quadro.draw(&Text::new(rotulo, (esquerda + 16, meio), texto(13, HPos::Left)))?;
    }
    Ok(())
}
