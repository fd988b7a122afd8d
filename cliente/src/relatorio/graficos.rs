//! Os gráficos do relatório, em SVG, com o plotters. Só desenha o que a simulação guardou; não julga.
//!
//! As cores são as do papel. No escuro, a folha de estilo da página troca cada uma pela sua (um atributo
//! de SVG vale menos que qualquer regra de CSS), e por isso as daqui têm de ser as de lá.

use std::cmp::Reverse;
use std::ops::Range;
use std::time::Duration;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::conversa::desfecho::Desfecho;
use crate::historia::conjunto::Simulacao;
use crate::historia::guarda::PRIMEIRAS;
use crate::historia::medidas::{Latencias, Medidas};
use crate::historia::vivido::{Conexao, Historia, Operacao, Qual};
use crate::tempo::rotulo_de_tempo;

const TEXTO: RGBColor = RGBColor(0x1f, 0x23, 0x28);
pub(crate) const GRADE: RGBColor = RGBColor(0xe1, 0xe4, 0xe8);
pub(crate) const CONEXAO: RGBColor = RGBColor(0xc4, 0xca, 0xd1);
const DECISAO: RGBColor = RGBColor(0xa5, 0xc8, 0xff);
const ESCUTA: RGBColor = RGBColor(0xdd, 0xe1, 0xe6);
pub(crate) const CONSULTA: RGBColor = RGBColor(0x09, 0x69, 0xda);
pub(crate) const COMPRA: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
pub(crate) const RECUSA: RGBColor = RGBColor(0xbc, 0x4c, 0x00);
const RUIM: RGBColor = RGBColor(0xcf, 0x22, 0x2e);
pub(crate) const AVISO: RGBColor = RGBColor(0x82, 0x50, 0xdf);

/// Quantos usuários se desenham, e mais ou menos quantos ciclos de cada um.
const USUARIOS_DESENHADOS: usize = 40;
const CICLOS_DESENHADOS: usize = 2;

/// Para que tela é o gráfico. A página leva os dois e mostra o que cabe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tela {
    /// Um computador ou o papel.
    Larga,
    /// Um telefone.
    Estreita,
}

impl Tela {
    /// A largura do desenho, em pixels.
    pub fn largura(self) -> u32 {
        match self {
            Tela::Larga => 960,
            Tela::Estreita => 400,
        }
    }

    /// Quantas marcas de tempo cabem.
    pub fn marcas(self) -> usize {
        match self {
            Tela::Larga => 10,
            Tela::Estreita => 4,
        }
    }
}

/// Onde se pinta.
pub(crate) type Quadro<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// O que impede de pintar; em uma String, nada.
pub(crate) type Erro = DrawingAreaErrorKind<std::io::Error>;
type Plano<'a, 'b, X> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, RangedCoordf64>>;

/// Desenha em uma String, o que não falha; se falhar, fica sem o gráfico, e não sem o relatório.
pub(crate) fn desenhar(
    tela: Tela,
    altura: u32,
    pintar: impl FnOnce(&Quadro<'_>) -> Result<(), Erro>,
) -> String {
    let mut svg = String::new();
    let quadro = SVGBackend::with_string(&mut svg, (tela.largura(), altura)).into_drawing_area();
    let desenhado = pintar(&quadro).and_then(|()| quadro.present());
    drop(quadro);
    desenhado.map(|()| svg).unwrap_or_default()
}

/// O eixo vertical: de onde a onde, quantas marcas e o que se escreve nelas.
struct Eixo<'a> {
    faixa: Range<f64>,
    marcas: usize,
    rotulo: &'a dyn Fn(&f64) -> String,
}

impl<'a> Eixo<'a> {
    fn novo(faixa: Range<f64>, rotulo: &'a dyn Fn(&f64) -> String) -> Self {
        Eixo { faixa, marcas: 6, rotulo }
    }
}

/// Os dois eixos, com a grade: o tempo embaixo, desde zero, e `eixo` ao lado.
fn plano<'a, 'b>(
    quadro: &'a Quadro<'b>,
    tela: Tela,
    tempo: Range<f64>,
    eixo: Eixo<'_>,
) -> Result<Plano<'a, 'b, RangedCoordf64>, Erro> {
    plano_com(quadro, tela, (tempo, &rotulo_de_tempo), eixo)
}

/// Como [`plano`], com o tempo na escala que for, e o que se escreve em cada marca dele.
fn plano_com<'a, 'b, T>(
    quadro: &'a Quadro<'b>,
    tela: Tela,
    (tempo, rotulo): (T, &dyn Fn(&f64) -> String),
    eixo: Eixo<'_>,
) -> Result<Plano<'a, 'b, T::CoordDescType>, Erro>
where
    T: AsRangedCoord<Value = f64>,
    T::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut plano = ChartBuilder::on(quadro)
        .margin(8)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(tempo, eixo.faixa)?;
    plano
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRADE)
        .axis_style(CONEXAO)
        .label_style(letra(13))
        .x_labels(tela.marcas())
        .y_labels(eixo.marcas)
        .x_label_formatter(rotulo)
        .y_label_formatter(eixo.rotulo)
        .draw()?;
    Ok(plano)
}

/// A letra dos textos.
pub(crate) fn letra(tamanho: i32) -> TextStyle<'static> {
    ("sans-serif", tamanho).into_font().color(&TEXTO)
}

fn segundos(instante: Duration) -> f64 {
    instante.as_secs_f64()
}

/// De zero até `fim`, que não pode ser zero.
fn desde_zero(fim: f64) -> Range<f64> {
    0.0..fim.max(1e-6)
}

/// Na escala logarítmica, as marcas se juntam no fim de cada década: só 1, 2 e 5 têm rótulo.
fn rotulo_de_decada(instante: &f64) -> String {
    let decada = 10f64.powf((instante.log10() + 1e-9).floor());
    let algarismo = (instante / decada).round();
    if [1.0, 2.0, 5.0].contains(&algarismo) { rotulo_de_tempo(instante) } else { String::new() }
}

/// Só os inteiros têm rótulo: não há meia unidade.
fn rotulo_inteiro(valor: &f64) -> String {
    let inteiro = valor.round();
    if (valor - inteiro).abs() < 1e-6 { format!("{inteiro:.0}") } else { String::new() }
}

fn rotulo_de_fracao(fracao: &f64) -> String {
    format!("{:.0}%", fracao * 100.0)
}

/// No máximo tantos pontos quantos se distinguem em um gráfico, espalhados por igual, com as pontas.
fn rarear<T: Copy>(pontos: &[T]) -> Vec<T> {
    const PONTOS: usize = 1000;
    let passo = pontos.len().div_ceil(PONTOS).max(1);
    let ultimo = pontos.last().filter(|_| passo > 1).copied();
    pontos.iter().step_by(passo).copied().chain(ultimo).collect()
}

/// Uma venda que alguém da multidão fez.
#[derive(Debug, Clone, Copy)]
pub struct Venda {
    /// O primeiro instante em que pode ter acontecido: depois do envio e da venda anterior.
    pub instante: Duration,
    /// Quando a resposta chegou.
    pub chegou: Duration,
    /// O que restou.
    pub restante: i128,
    /// Qual servidor vendeu.
    pub servidor: Qual,
}

/// O que os gráficos desenham, calculado uma vez.
#[derive(Debug)]
pub struct Dados<'a> {
    historias: &'a [Historia],
    medidas: &'a Medidas,
    /// As vendas, na ordem em que o estoque desceu.
    pub vendas: Vec<Venda>,
    /// Quando a resposta da venda da última unidade chegou ao comprador.
    pub esgotamento: Option<Duration>,
    /// Os usuários que se desenham.
    pub amostra: Vec<&'a Historia>,
}

impl<'a> Dados<'a> {
    /// Os dados de uma simulação.
    pub fn de(simulacao: &'a Simulacao) -> Self {
        let Simulacao { historias, medidas, .. } = simulacao;
        let vendas = vendas(historias);
        let ultimas = vendas.iter().filter(|venda| venda.restante == 0);
        let esgotamento = ultimas.map(|venda| venda.chegou).min();
        Dados { historias, medidas, vendas, esgotamento, amostra: amostra(historias) }
    }
}

fn vendas(historias: &[Historia]) -> Vec<Venda> {
    let venda = |operacao: &Operacao| match operacao.resposta {
        Some((chegou, Desfecho::Comprou(restante))) => {
            let servidor = operacao.servidor;
            Some(Venda { instante: operacao.enviada, chegou, restante, servidor })
        }
        _ => None,
    };
    let operacoes = historias.iter().flat_map(|historia| &historia.operacoes);
    let mut vendas: Vec<Venda> = operacoes.filter_map(venda).collect();
    vendas.sort_unstable_by_key(|venda| (Reverse(venda.restante), venda.chegou));
    let mut anterior = Duration::ZERO;
    for venda in &mut vendas {
        // De um servidor que se contradiz, nem sempre há tal instante; a resposta é o limite.
        venda.instante = venda.instante.max(anterior).min(venda.chegou);
        anterior = venda.instante;
    }
    vendas
}

impl Dados<'_> {
    /// O estoque descendo, venda a venda, até pouco depois da última.
    pub fn estoque(&self, tela: Tela) -> String {
        let vendas = rarear(&self.vendas);
        let restantes = || vendas.iter().map(|venda| venda.restante);
        let (Some(fim), Some(menor), Some(maior)) =
            (vendas.iter().map(|venda| venda.instante).max(), restantes().min(), restantes().max())
        else {
            return String::new();
        };
        let ate = segundos(fim) * 1.08;
        let (menor, maior) = (menor.min(0) as f64, maior as f64 + 1.0);
        let ponto = |venda: &Venda| (segundos(venda.instante), venda.restante as f64);
        let pontos: Vec<(f64, f64)> = vendas.iter().map(ponto).collect();
        desenhar(tela, 300, |quadro| {
            let margem = (maior - menor) * 0.05;
            let eixo = Eixo::novo(menor - margem..maior + margem, &rotulo_inteiro);
            let mut plano = plano(quadro, tela, desde_zero(ate), eixo)?;
            let degraus = em_degraus(maior, &pontos, ate);
            plano.draw_series(LineSeries::new(degraus, COMPRA.stroke_width(2)))?;
            let raio = if pontos.len() > 100 { 2 } else { 4 };
            let bola = |ponto: &(f64, f64)| {
                let cor = if ponto.1 < 0.0 { RUIM } else { COMPRA };
                Circle::new(*ponto, raio, cor.filled())
            };
            plano.draw_series(pontos.iter().map(bola))?;
            Ok(())
        })
    }

    /// O primeiro sinal do esgotamento, se alguém ouviu o AVISO: a resposta do comprador da última unidade ou
    /// o primeiro AVISO, o que se soube antes.
    pub fn primeiro_sinal(&self) -> Option<Duration> {
        let avisos = self.conexoes().filter_map(|(_, conexao)| conexao.avisos.first());
        let primeiro = *avisos.min()?;
        Some(self.esgotamento.map_or(primeiro, |venda| venda.min(primeiro)))
    }

    /// As conexões abertas no instante `zero` que nunca ouviram o AVISO, cada uma com o seu usuário.
    pub fn sem_aviso(&self, zero: Duration) -> impl Iterator<Item = (usize, &Conexao)> {
        self.conexoes().filter(move |(_, conexao)| {
            let aberta = conexao.conectou <= zero && conexao.fechou.is_none_or(|fim| fim > zero);
            aberta && conexao.avisos.is_empty()
        })
    }

    fn conexoes(&self) -> impl Iterator<Item = (usize, &Conexao)> {
        self.historias.iter().flat_map(|h| h.conexoes.iter().map(|conexao| (h.usuario, conexao)))
    }

    /// Que fração dos conectados no esgotamento já tinha ouvido o AVISO, a contar do primeiro sinal dele.
    pub fn espalhamento(&self, tela: Tela) -> String {
        let mut avisos: Vec<Duration> =
            self.conexoes().filter_map(|(_, p)| p.avisos.first().copied()).collect();
        avisos.sort_unstable();
        let [_, .., ultimo] = avisos[..] else { return String::new() };
        let zero = self.primeiro_sinal().unwrap_or_default();
        // Quem conectou enquanto o AVISO saía também pode tê-lo ouvido.
        let todos = (avisos.len() + self.sem_aviso(zero).count()) as f64;
        let ponto = |(indice, aviso): (usize, &Duration)| {
            (segundos(aviso.saturating_sub(zero)), (indice + 1) as f64 / todos)
        };
        let pontos: Vec<(f64, f64)> = avisos.iter().enumerate().map(ponto).collect();
        let ate = segundos(ultimo.saturating_sub(zero)) * 1.08;
        desenhar(tela, 240, |quadro| {
            let eixo = Eixo::novo(0.0..1.04, &rotulo_de_fracao);
            let mut plano = plano(quadro, tela, desde_zero(ate), eixo)?;
            let degraus = em_degraus(0.0, &rarear(&pontos), ate);
            plano.draw_series(LineSeries::new(degraus, AVISO.stroke_width(2)))?;
            Ok(())
        })
    }

    /// Que fração das respostas não passou de cada tempo, para CONSULTAR e COMPRAR; o tempo em escala
    /// logarítmica, que deixa ver a mediana e a cauda no mesmo desenho.
    pub fn latencias(&self, tela: Tela) -> String {
        let medidas = self.medidas;
        let curvas = [(&medidas.consultar, CONSULTA), (&medidas.comprar, COMPRA)]
            .map(|(latencias, cor)| (curva(latencias), cor));
        let tempos = || curvas.iter().flat_map(|(curva, _)| curva.iter().map(|(tempo, _)| *tempo));
        let menor = tempos().fold(f64::MAX, f64::min);
        let maior = tempos().fold(0.0, f64::max);
        if maior == 0.0 {
            return String::new();
        }
        desenhar(tela, 260, |quadro| {
            let tempo = (menor * 0.8..maior * 1.25).log_scale();
            let eixo = Eixo::novo(0.0..1.04, &rotulo_de_fracao);
            let mut plano = plano_com(quadro, tela, (tempo, &rotulo_de_decada), eixo)?;
            for (curva, cor) in curvas {
                plano.draw_series(LineSeries::new(curva, cor.stroke_width(2)))?;
            }
            Ok(())
        })
    }

    /// As respostas por segundo ao longo da simulação; e, por cima, quantas chegadas se marcaram por segundo, a partir
    /// de cada um destes instantes.
    pub fn vazao(&self, tela: Tela, marcadas: &[(Duration, f64)]) -> String {
        let medidas = self.medidas;
        let largura = segundos(medidas.vazao.largura);
        let taxas: Vec<f64> = medidas.vazao.fatias.iter().map(|n| *n as f64 / largura).collect();
        let ate = largura * taxas.len() as f64;
        if !taxas.iter().any(|taxa| *taxa > 0.0) {
            return String::new();
        }
        let marcadas: Vec<(f64, f64)> = marcadas.iter().map(|(q, t)| (segundos(*q), *t)).collect();
        let maior = marcadas.iter().map(|(_, taxa)| *taxa).chain(taxas.iter().copied());
        let maior = maior.fold(0.0, f64::max);
        desenhar(tela, 240, |quadro| {
            let eixo = Eixo::novo(0.0..maior * 1.05, &rotulo_inteiro);
            let tempo = desde_zero(ate);
            let mut plano = plano(quadro, tela, tempo, eixo)?;
            let fatia = |(indice, taxa): (usize, &f64)| {
                let inicio = indice as f64 * largura;
                Rectangle::new([(inicio, 0.0), (inicio + largura, *taxa)], CONSULTA.filled())
            };
            plano.draw_series(taxas.iter().enumerate().map(fatia))?;
            if !marcadas.is_empty() {
                let ditas = marcadas.into_iter().filter(|(quando, _)| *quando < ate);
                let degraus = em_degraus(0.0, &ditas.collect::<Vec<_>>(), ate);
                plano.draw_series(LineSeries::new(degraus, RECUSA.stroke_width(2)))?;
            }
            Ok(())
        })
    }

    /// O trecho da simulação que se desenha por usuário: o que levam alguns ciclos, do começo ou, se
    /// o esgotamento não estiver nele, em volta do esgotamento.
    pub fn janela(&self) -> Range<Duration> {
        let ultima = |historia: &Historia| {
            let primeiras = historia.operacoes.iter().take(2 * CICLOS_DESENHADOS);
            let fechou = historia.conexoes.last().and_then(|conexao| conexao.fechou);
            primeiras
                .map(fim_da_operacao)
                .chain(fechou.filter(|_| historia.operacoes.len() <= 2 * CICLOS_DESENHADOS))
                .max()
        };
        let largura =
            self.amostra.iter().filter_map(|historia| ultima(historia)).max().unwrap_or_default();
        match self.esgotamento.filter(|quando| *quando > largura) {
            Some(quando) => quando - largura / 2..quando + largura / 2,
            None => Duration::ZERO..largura,
        }
    }

    /// Uma linha por usuário: a conexão, as consultas, o tempo de decisão, as compras e recusas, a escuta e
    /// o AVISO; e, de cima a baixo, o esgotamento.
    pub fn usuarios(&self, tela: Tela) -> String {
        let escolhidos = &self.amostra;
        let janela = self.janela();
        let linhas = escolhidos.len();
        // De cima para baixo, pela ordem dos números.
        let altura_da = |indice: usize| (linhas - 1 - indice) as f64;
        let numero_da = |altura: &f64| {
            let indice = (linhas as f64 - 1.0 - altura).round();
            let historia = (indice >= 0.0).then(|| escolhidos.get(indice as usize)).flatten();
            historia.map(|historia| historia.usuario.to_string()).unwrap_or_default()
        };
        desenhar(tela, 52 + 15 * linhas as u32, |quadro| {
            let faixa = -0.7..linhas as f64 - 0.3;
            let eixo = Eixo { faixa, marcas: linhas.max(2), rotulo: &numero_da };
            let tempo = segundos(janela.start)..segundos(janela.end).max(1e-6);
            let mut plano = plano(quadro, tela, tempo, eixo)?;
            if let Some(x) = self.esgotamento.filter(|q| janela.contains(q)).map(segundos) {
                let risco = [(x, -0.7), (x, linhas as f64 - 0.3)];
                plano.draw_series([PathElement::new(risco, AVISO.stroke_width(2))])?;
            }
            for (indice, historia) in escolhidos.iter().enumerate() {
                desenhar_usuario(&mut plano, historia, altura_da(indice), &janela)?;
            }
            Ok(())
        })
    }
}

/// Uma conta que começa em `inicio`: cada valor vale até o ponto seguinte, e o último até `fim`.
fn em_degraus(inicio: f64, pontos: &[(f64, f64)], fim: f64) -> Vec<(f64, f64)> {
    let mut degraus = vec![(0.0, inicio)];
    let mut agora = inicio;
    for (x, y) in pontos {
        degraus.extend([(*x, agora), (*x, *y)]);
        agora = *y;
    }
    degraus.push((fim, agora));
    degraus
}

fn curva(latencias: &Latencias) -> Vec<(f64, f64)> {
    let pontos: Vec<(f64, f64)> = latencias
        .acumulada()
        .into_iter()
        // Zero não tem logaritmo; nenhuma resposta leva menos de um nanossegundo.
        .map(|(tempo, fracao)| (segundos(tempo).max(1e-9), fracao))
        .collect();
    let comeco = pontos.first().map(|(tempo, _)| (*tempo, 0.0));
    comeco.into_iter().chain(rarear(&pontos)).collect()
}

/// Quem se desenha: todos, se cabem; senão, dos primeiros compradores e dos outros, espalhados por
/// igual.
fn amostra(historias: &[Historia]) -> Vec<&Historia> {
    let comprou = |historia: &&Historia| {
        let mut respostas = historia.operacoes.iter().filter_map(|o| o.resposta.as_ref());
        respostas.any(|(_, desfecho)| desfecho.vendeu())
    };
    let (mut escolhidos, outros): (Vec<&Historia>, Vec<&Historia>) =
        historias.iter().partition(comprou);
    if historias.len() > USUARIOS_DESENHADOS {
        let sobram = USUARIOS_DESENHADOS.saturating_sub(outros.len());
        escolhidos.truncate(sobram.max(USUARIOS_DESENHADOS / 2));
    }
    let lugares = USUARIOS_DESENHADOS.saturating_sub(escolhidos.len()).min(outros.len());
    escolhidos.extend((0..lugares).map(|lugar| outros[lugar * outros.len() / lugares]));
    escolhidos.sort_unstable_by_key(|historia| historia.usuario);
    escolhidos
}

fn fim_da_operacao(operacao: &Operacao) -> Duration {
    operacao.resposta.as_ref().map_or(operacao.enviada, |(chegou, _)| *chegou)
}

/// De quando a quando vai um trecho, cortado pela janela; `None` se não aparece.
type Trecho = (Duration, Duration);

fn cortar((de, ate): Trecho, janela: &Range<Duration>) -> Option<Trecho> {
    let (de, ate) = (de.max(janela.start), ate.min(janela.end));
    (de < ate).then_some((de, ate))
}

fn desenhar_usuario(
    plano: &mut Plano<'_, '_, RangedCoordf64>,
    historia: &Historia,
    y: f64,
    janela: &Range<Duration>,
) -> Result<(), Erro> {
    let (decidindo, escutando) = esperas(historia);
    let conectado = historia.conexoes.iter();
    let conectado = conectado.map(|p| (p.conectou, p.fechou.unwrap_or(janela.end))).collect();
    for (trechos, cor, grossura) in
        [(conectado, CONEXAO, 1), (decidindo, DECISAO, 6), (escutando, ESCUTA, 6)]
    {
        let trechos: Vec<Trecho> = trechos;
        let visiveis = trechos.into_iter().filter_map(|trecho| cortar(trecho, janela));
        plano.draw_series(visiveis.map(|(de, ate)| {
            PathElement::new([(segundos(de), y), (segundos(ate), y)], cor.stroke_width(grossura))
        }))?;
    }
    let visivel = |quando: &Duration| janela.contains(quando);
    // O AVISO por baixo: a compra que esgotou fica à vista.
    let avisos = historia.conexoes.iter().flat_map(|p| &p.avisos).filter(|aviso| visivel(aviso));
    let triangulo =
        |aviso: &Duration| TriangleMarker::new((segundos(*aviso), y), 5, AVISO.filled());
    plano.draw_series(avisos.map(triangulo))?;
    let respostas = historia.operacoes.iter().filter_map(|o| o.resposta.as_ref());
    let ponto = |(quando, desfecho): &(Duration, Desfecho)| {
        let (tamanho, cor) = match desfecho {
            Desfecho::Leu(_) | Desfecho::LeuSemNumero => (2, CONSULTA),
            Desfecho::Comprou(_) | Desfecho::ComprouSemNumero => (5, COMPRA),
            Desfecho::Recusado => (3, RECUSA),
            Desfecho::ForaDeAlcance | Desfecho::Estranho(_) => return None,
        };
        visivel(quando).then(|| Circle::new((segundos(*quando), y), tamanho, cor.filled()))
    };
    plano.draw_series(respostas.filter_map(ponto))?;
    Ok(())
}

/// Os tempos em que o usuário decidia (da consulta à compra) e escutava (da compra à consulta seguinte,
/// ou ao fim da conexão).
fn esperas(historia: &Historia) -> (Vec<Trecho>, Vec<Trecho>) {
    let (mut decidindo, mut escutando) = (Vec::new(), Vec::new());
    if historia.operacoes.iter().any(|operacao| operacao.marcada.is_some()) {
        // No laço aberto não há decisão nem escuta: entre dois pedidos, espera-se a próxima chegada.
        return (decidindo, escutando);
    }
    for (indice, operacao) in historia.operacoes.iter().enumerate() {
        if historia.resumida && indice + 1 >= PRIMEIRAS {
            // Daqui em diante faltam operações, e o que parece uma espera pode não ser.
            break;
        }
        let proxima = historia.operacoes.get(indice + 1).filter(|p| p.conexao == operacao.conexao);
        let conexao = historia.conexoes.iter().find(|p| p.numero == operacao.conexao);
        let fim = proxima.map(|p| p.enviada).or(conexao.and_then(|p| p.fechou));
        let Some(fim) = fim else { continue };
        let esperas = if operacao.compra { &mut escutando } else { &mut decidindo };
        esperas.push((fim_da_operacao(operacao), fim));
    }
    (decidindo, escutando)
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn em_cada_decada_so_ha_tres_rotulos() {
        let decada = (1..=10).map(|vezes| rotulo_de_decada(&(100e-6 * f64::from(vezes))));
        let escritos: Vec<String> = decada.filter(|rotulo| !rotulo.is_empty()).collect();
        assert_eq!(escritos, ["100 µs", "200 µs", "500 µs", "1 ms"]);
    }
}
