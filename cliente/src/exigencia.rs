//! O que um script exige da simulação: `p99(comprar)<50ms`, `falhas=0`. Lê a exigência e a confere;
//! quem mede são as [`crate::historia::medidas`] e o [`crate::historia::resumo`].

use std::fmt;
use std::time::Duration;

use protocolo::terminal::{OpcaoErrada, duracao};
use serde::Serialize;
use thiserror::Error;

use crate::historia::medidas::{Latencias, Medidas};
use crate::historia::resumo::Resumo;
use crate::tempo::formatar;

/// Por que um texto não é uma exigência.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Erro {
    /// Falta a comparação.
    #[error("esperava uma comparação, como em 'p99(comprar)<50ms' ou 'falhas=0'")]
    SemComparacao,
    /// O que se compara não é uma métrica.
    #[error(
        "métrica desconhecida '{0}'; há p99(comprar), max(consultar), duracao, espalhamento, \
         vazao, ciclos, consultas, vendas, recusas, avisos, falhas e desconhecidas"
    )]
    MetricaDesconhecida(String),
    /// O limite de uma conta não é um número.
    #[error("esperava um número depois da comparação")]
    SemNumero,
    /// O limite de um tempo não é uma duração.
    #[error(transparent)]
    Duracao(#[from] OpcaoErrada),
}

/// Uma exigência. `Display` é o texto como foi escrito.
#[derive(Debug, Clone, PartialEq)]
pub struct Exigencia {
    texto: String,
    metrica: Metrica,
    comparacao: Comparacao,
    limite: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metrica {
    /// Um quantil, de 0 a 1, em segundos.
    Latencia {
        quantil: f64,
        compra: bool,
    },
    Duracao,
    Espalhamento,
    Vazao,
    Ciclos,
    Consultas,
    Vendas,
    Recusas,
    Avisos,
    Falhas,
    Desconhecidas,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparacao {
    Menor,
    MenorOuIgual,
    Maior,
    MaiorOuIgual,
    Igual,
}

/// Uma exigência conferida. `Display` é a linha do terminal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conferida {
    /// A exigência, como foi escrita.
    pub texto: String,
    /// O que se mediu, por extenso; `None` se não houve o que medir, e aí não se cumpriu.
    pub medido: Option<String>,
    /// Cumpriu-se?
    pub cumprida: bool,
}

impl Exigencia {
    /// Lê uma exigência: métrica, comparação (`<`, `<=`, `>`, `>=`, `=`) e limite, para `value_parser`.
    ///
    /// As métricas de tempo, com limite como `50ms`: `pN(consultar)` e `pN(comprar)`, com N de 0 a 100
    /// (`p99.9` vale), `max(...)`, `duracao` e `espalhamento` (do primeiro AVISO ao último). As de
    /// contar: `vazao` (respostas por segundo), `ciclos`, `consultas`, `vendas`, `recusas`, `avisos`,
    /// `falhas` e `desconhecidas` (as compras de que não se soube).
    ///
    /// # Errors
    ///
    /// O texto não é uma exigência.
    pub fn ler(texto: &str) -> Result<Self, Erro> {
        let onde = texto.find(['<', '>', '=']).ok_or(Erro::SemComparacao)?;
        let (nome, resto) = texto.split_at(onde);
        let (comparacao, limite) = ler_comparacao(resto);
        let metrica = ler_metrica(&nome.trim().to_lowercase())?;
        let limite = if metrica.e_tempo() {
            duracao(limite)?.as_secs_f64()
        } else {
            let numero = limite.trim().replace(',', ".").parse().ok();
            numero.filter(|n: &f64| n.is_finite()).ok_or(Erro::SemNumero)?
        };
        Ok(Exigencia { texto: texto.trim().into(), metrica, comparacao, limite })
    }

    /// Confere a exigência com o que se mediu.
    pub fn conferir(&self, resumo: &Resumo, medidas: &Medidas) -> Conferida {
        let medido = self.metrica.medir(resumo, medidas);
        Conferida {
            texto: self.texto.clone(),
            medido: medido.map(|valor| self.metrica.escrever(valor)),
            cumprida: medido.is_some_and(|valor| self.comparacao.vale(valor, self.limite)),
        }
    }
}

fn ler_comparacao(texto: &str) -> (Comparacao, &str) {
    const TODAS: [(&str, Comparacao); 6] = [
        ("<=", Comparacao::MenorOuIgual),
        (">=", Comparacao::MaiorOuIgual),
        ("<", Comparacao::Menor),
        (">", Comparacao::Maior),
        ("==", Comparacao::Igual),
        ("=", Comparacao::Igual),
    ];
    TODAS
        .iter()
        .find_map(|(sinal, comparacao)| Some((*comparacao, texto.strip_prefix(sinal)?)))
        .unwrap_or((Comparacao::Igual, texto))
}

fn ler_metrica(nome: &str) -> Result<Metrica, Erro> {
    Ok(match nome {
        "duracao" | "duração" => Metrica::Duracao,
        "espalhamento" => Metrica::Espalhamento,
        "vazao" | "vazão" => Metrica::Vazao,
        "ciclos" => Metrica::Ciclos,
        "consultas" => Metrica::Consultas,
        "vendas" => Metrica::Vendas,
        "recusas" => Metrica::Recusas,
        "avisos" => Metrica::Avisos,
        "falhas" => Metrica::Falhas,
        "desconhecidas" => Metrica::Desconhecidas,
        _ => ler_latencia(nome).ok_or_else(|| Erro::MetricaDesconhecida(nome.into()))?,
    })
}

fn ler_latencia(nome: &str) -> Option<Metrica> {
    let (quantil, comando) = nome.strip_suffix(')')?.split_once('(')?;
    let compra = match comando.trim() {
        "comprar" => true,
        "consultar" => false,
        _ => return None,
    };
    let quantil = match quantil.trim() {
        "max" | "máx" => 1.0,
        outro => outro.strip_prefix('p')?.replace(',', ".").parse::<f64>().ok()? / 100.0,
    };
    (0.0..=1.0).contains(&quantil).then_some(Metrica::Latencia { quantil, compra })
}

impl Metrica {
    fn e_tempo(self) -> bool {
        matches!(self, Metrica::Latencia { .. } | Metrica::Duracao | Metrica::Espalhamento)
    }

    fn medir(self, resumo: &Resumo, medidas: &Medidas) -> Option<f64> {
        let contas = match self {
            Metrica::Latencia { quantil, compra } => {
                let latencias: &Latencias =
                    if compra { &medidas.comprar } else { &medidas.consultar };
                return latencias.quantil(quantil).map(|tempo| tempo.as_secs_f64());
            }
            Metrica::Duracao => return Some(resumo.duracao.as_secs_f64()),
            Metrica::Espalhamento => return resumo.espalhamento.map(|tempo| tempo.as_secs_f64()),
            Metrica::Vazao => return Some(resumo.vazao),
            Metrica::Ciclos => resumo.ciclos,
            Metrica::Consultas => resumo.consultas,
            Metrica::Vendas => resumo.vendas,
            Metrica::Recusas => resumo.recusas,
            Metrica::Avisos => resumo.avisos,
            Metrica::Falhas => resumo.falhas.values().sum(),
            Metrica::Desconhecidas => resumo.desconhecidas(),
        };
        Some(contas as f64)
    }

    fn escrever(self, valor: f64) -> String {
        match self {
            Metrica::Vazao => format!("{valor:.0} por segundo"),
            _ if self.e_tempo() => {
                formatar(Duration::try_from_secs_f64(valor).unwrap_or(Duration::MAX))
            }
            _ => format!("{valor}"),
        }
    }
}

impl Comparacao {
    fn vale(self, medido: f64, limite: f64) -> bool {
        match self {
            Comparacao::Menor => medido < limite,
            Comparacao::MenorOuIgual => medido <= limite,
            Comparacao::Maior => medido > limite,
            Comparacao::MaiorOuIgual => medido >= limite,
            Comparacao::Igual => medido == limite,
        }
    }
}

impl fmt::Display for Conferida {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let veredito = if self.cumprida { "cumprida" } else { "NÃO CUMPRIDA" };
        let medido = self.medido.as_deref().unwrap_or("nada a medir");
        write!(f, "Exigência {veredito}: {} ({medido})", self.texto)
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn le_o_que_se_exige_de_tempos_e_de_contas() {
        let ler = |texto| Exigencia::ler(texto).map(|e| (e.metrica, e.comparacao, e.limite));
        let p99 = Metrica::Latencia { quantil: 0.99, compra: true };
        assert_eq!(ler("p99(comprar)<50ms"), Ok((p99, Comparacao::Menor, 0.05)));
        assert_eq!(ler(" P99( comprar ) <= 1s "), Ok((p99, Comparacao::MenorOuIgual, 1.0)));
        let maximo = Metrica::Latencia { quantil: 1.0, compra: false };
        assert_eq!(ler("max(consultar)>1us"), Ok((maximo, Comparacao::Maior, 1e-6)));
        for meio in ["max(consultar)<0,5ms", "max(consultar)<0.5ms"] {
            let maximo = Metrica::Latencia { quantil: 1.0, compra: false };
            assert_eq!(ler(meio), Ok((maximo, Comparacao::Menor, 0.0005)), "{meio}");
        }
        assert_eq!(ler("falhas==0"), ler("falhas=0"));
        assert_eq!(ler("falhas=0"), Ok((Metrica::Falhas, Comparacao::Igual, 0.0)));
        assert_eq!(ler("vazao>=0,5"), Ok((Metrica::Vazao, Comparacao::MaiorOuIgual, 0.5)));
        for errada in [
            "",
            "p99(comprar)",
            "p101(comprar)<1s",
            "p99(vender)<1s",
            "p99(comprar)<50",
            "falhas=muitas",
            "falhas=1s",
            "x<1",
            "<1",
            "p(comprar)<1s",
            "pNaN(comprar)<1s",
            "vendas<NaN",
        ] {
            assert!(ler(errada).is_err(), "{errada}");
        }
    }

    #[test]
    fn confere_com_o_medido_e_sem_medida_nao_se_cumpre() {
        let mut medidas = Medidas::default();
        medidas.comprar.registrar(Duration::from_millis(20));
        let resumo = Resumo { vendas: 10, ..Resumo::default() };
        let conferir = |texto| {
            let conferida = Exigencia::ler(texto).unwrap().conferir(&resumo, &medidas);
            (conferida.cumprida, conferida.to_string())
        };
        assert!(conferir("p50(comprar)<21ms").0 && conferir("vendas=10").0);
        for (texto, linha) in [
            ("p50(comprar)<5ms", "Exigência NÃO CUMPRIDA: p50(comprar)<5ms (20,0 ms)"),
            ("vendas>10", "Exigência NÃO CUMPRIDA: vendas>10 (10)"),
            ("p50(consultar)<1h", "Exigência NÃO CUMPRIDA: p50(consultar)<1h (nada a medir)"),
        ] {
            assert_eq!(conferir(texto), (false, linha.into()));
        }
    }
}
