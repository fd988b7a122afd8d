//! O resumo que se lê no fim: contas e latências, tiradas das histórias. Puro, menos o texto.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::historia::{Desfecho, Historia, Simulacao};

/// O texto do resumo, tabela de latências incluída.
pub fn resumir(simulacao: &Simulacao) -> String {
    let mut texto = String::new();
    // Escrever em uma String não falha.
    let _ = escrever(simulacao, &mut texto);
    texto
}

fn escrever(simulacao: &Simulacao, texto: &mut String) -> fmt::Result {
    let historias = &simulacao.historias;
    let respostas =
        || historias.iter().flat_map(|h| &h.operacoes).filter_map(|o| o.resposta.as_ref());
    let quantas = |certa: fn(&Desfecho) -> bool| respostas().filter(|(_, d)| certa(d)).count();
    let ciclos: u64 = historias.iter().map(|h| u64::from(h.ciclos)).sum();
    let avisos: Vec<Duration> = historias
        .iter()
        .flat_map(|h| &h.presencas)
        .flat_map(|p| p.avisos.iter().copied())
        .collect();

    let parcial =
        if simulacao.interrompida { " parcial: a simulação foi interrompida" } else { "" };
    writeln!(texto, "Resumo{parcial}")?;
    let mut linha = |nome: &str, valor: String| writeln!(texto, "  {nome:<20} {valor}");
    linha(
        "usuários",
        format!("{} (pico de {} ao mesmo tempo)", simulacao.usuarios, pico(historias)),
    )?;
    let incompletos = if ciclos < simulacao.ciclos_previstos {
        " (o veredito é só sobre o que se viu)"
    } else {
        ""
    };
    linha("ciclos", format!("{ciclos} de {}{incompletos}", simulacao.ciclos_previstos))?;
    linha("consultas", quantas(|d| matches!(d, Desfecho::Leu(_))).to_string())?;
    linha("vendas", quantas(|d| matches!(d, Desfecho::Comprou(_))).to_string())?;
    linha("recusas", quantas(|d| matches!(d, Desfecho::Recusado)).to_string())?;
    let espalhamento = match (avisos.iter().min(), avisos.iter().max()) {
        (Some(primeiro), Some(ultimo)) if avisos.len() > 1 => {
            format!(" ({} do primeiro ao último)", formatar(*ultimo - *primeiro))
        }
        _ => String::new(),
    };
    linha("AVISOs", format!("{}{espalhamento}", avisos.len()))?;
    linha("duração", formatar(simulacao.duracao))?;
    linha("semente", simulacao.semente.to_string())?;
    let falhas = contar_falhas(historias);
    linha("falhas", falhas.values().sum::<u64>().to_string())?;
    for (falha, vezes) in falhas {
        linha("", format!("{vezes} × {falha}"))?;
    }
    writeln!(
        texto,
        "\n  {:<12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "latência", "p50", "p90", "p99", "p99,9", "máx"
    )?;
    escrever_latencia(texto, "CONSULTAR", latencias(historias, false))?;
    escrever_latencia(texto, "COMPRAR", latencias(historias, true))
}

fn latencias(historias: &[Historia], compra: bool) -> impl Iterator<Item = Duration> + '_ {
    let operacoes = historias.iter().flat_map(|h| &h.operacoes).filter(move |o| o.compra == compra);
    operacoes.filter_map(|o| Some(o.resposta.as_ref()?.0.saturating_sub(o.enviada)))
}

fn escrever_latencia(
    texto: &mut String,
    nome: &str,
    amostras: impl Iterator<Item = Duration>,
) -> fmt::Result {
    // Três algarismos, em nanossegundos; cresce com o que se grava, e por isso gravar não falha.
    let Ok(mut histograma) = Histogram::<u64>::new(3) else { return Ok(()) };
    for amostra in amostras {
        let _ = histograma.record(u64::try_from(amostra.as_nanos()).unwrap_or(u64::MAX));
    }
    write!(texto, "  {nome:<12}")?;
    for quantil in [0.5, 0.9, 0.99, 0.999, 1.0] {
        let valor = if histograma.is_empty() {
            "-".into()
        } else {
            formatar(Duration::from_nanos(histograma.value_at_quantile(quantil)))
        };
        write!(texto, "{valor:>10}")?;
    }
    writeln!(texto)
}

/// Quantas conexões da multidão existiram ao mesmo tempo, no máximo.
fn pico(historias: &[Historia]) -> i64 {
    let presencas = historias.iter().flat_map(|h| &h.presencas);
    let mut mudancas: Vec<(Duration, i64)> = presencas
        .flat_map(|p| [(p.conectou, 1), (p.fechou.unwrap_or(Duration::MAX), -1)])
        .collect();
    // No mesmo instante, primeiro quem sai.
    mudancas.sort_unstable();
    let mut agora = 0;
    mudancas.into_iter().fold(0, |pico, (_, mudanca)| {
        agora += mudanca;
        pico.max(agora)
    })
}

fn contar_falhas(historias: &[Historia]) -> BTreeMap<String, u64> {
    let mut contas = BTreeMap::new();
    for (_, falha) in historias.iter().flat_map(|h| &h.falhas) {
        *contas.entry(falha.to_string()).or_default() += 1;
    }
    contas
}

/// Uma duração com três algarismos, na unidade que a deixa legível: `87,2 µs`, `1,25 ms`, `2,61 s`.
pub fn formatar(duracao: Duration) -> String {
    let segundos = duracao.as_secs_f64();
    let (valor, unidade) = match segundos {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let casas = match valor {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{valor:.casas$} {unidade}").replace('.', ",")
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::historia::Presenca;

    #[test]
    fn duracoes_com_tres_algarismos() {
        let casos = [(87_200, "87,2 µs"), (1_250_000, "1,25 ms"), (123_400_000, "123 ms")];
        for (nanos, texto) in casos {
            assert_eq!(formatar(Duration::from_nanos(nanos)), texto);
        }
        assert_eq!(formatar(Duration::from_millis(2610)), "2,61 s");
        assert_eq!(formatar(Duration::from_micros(9_999)), "10,0 ms");
    }

    #[test]
    fn os_percentis_sao_das_amostras() {
        let mut texto = String::new();
        let amostras = (1..=1000).map(Duration::from_micros);
        escrever_latencia(&mut texto, "COMPRAR", amostras).unwrap();
        let colunas: Vec<&str> = texto.split("  ").filter(|c| !c.trim().is_empty()).collect();
        let colunas: Vec<&str> = colunas.iter().map(|c| c.trim()).collect();
        assert_eq!(colunas, ["COMPRAR", "500 µs", "900 µs", "990 µs", "999 µs", "1,00 ms"]);
    }

    #[test]
    fn o_pico_conta_quem_esteve_junto() {
        let presenca = |de, ate: Option<u64>| Presenca {
            conectou: Duration::from_secs(de),
            fechou: ate.map(Duration::from_secs),
            ..Presenca::default()
        };
        let historia = |presencas| Historia { presencas, ..Historia::default() };
        let historias = [
            historia(vec![presenca(0, Some(2)), presenca(2, Some(4))]),
            historia(vec![presenca(1, None)]),
            historia(vec![presenca(5, Some(6))]),
        ];
        assert_eq!(pico(&historias), 2);
    }
}
