//! Como a multidão chega: em laço fechado, em que cada usuário pede quando acaba de ouvir e de esperar, ou em laço
//! aberto (`--taxa`, ou `--rampa` em etapas), em que os pedidos têm hora marcada, seja qual for a demora do servidor. Só
//! lê as opções; a hora de cada chegada quem sorteia é [`crate::multidao::agenda`].

use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use protocolo::terminal::{duracao, duracao_positiva};
use serde::Serialize;

use crate::tempo::{como_se_pede, em_segundos};

/// Quanto dura um laço aberto de uma taxa só, se não se diz.
const DURANTE: Duration = Duration::from_secs(30);

/// A maior taxa, por segundo: muito além do que uma multidão de threads sustenta.
const TAXA_MAXIMA: f64 = 100_000.0;

/// O que uma taxa só pode ser.
const COMO_E_UMA_TAXA: &str =
    "esperava uma taxa maior que zero, até 100000/s, como 500/s, 30/min ou 10/h";

/// O que fazer de um decimal em uma etapa.
const SEM_VIRGULA_DECIMAL: &str = "a vírgula separa as etapas; dentro de uma, os números usam o ponto, como em 1.5s:0.5/s,1m:500/s";

/// O que não tem sentido quando a hora de cada pedido está marcada: o nome no clap e como se escreve.
const SO_DO_LACO_FECHADO: [(&str, &str); 7] = [
    ("ciclos", "--ciclos"),
    ("decisao", "--decisao"),
    ("escuta", "--escuta"),
    ("acelerar", "--acelerar"),
    ("reconectar", "--reconectar"),
    ("threads", "--threads"),
    ("pedidos", "--pedidos"),
];

/// Como a multidão chega.
#[derive(Debug, Clone, PartialEq)]
pub enum Carga {
    /// Laço fechado: cada usuário segue o seu roteiro.
    Fechada {
        /// Por quanto tempo se espalham as entradas.
        rampa: Duration,
    },
    /// Laço aberto: cada pedido tem hora marcada.
    Aberta {
        /// As etapas, na ordem. Ao menos uma.
        etapas: Vec<Etapa>,
    },
}

/// Um trecho do laço aberto, de taxa constante.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Etapa {
    /// Quanto dura.
    #[serde(rename = "duracao_s", serialize_with = "em_segundos")]
    pub duracao: Duration,
    /// Quantas chegadas por segundo, em média.
    pub taxa_por_s: f64,
}

impl Carga {
    /// Por quanto tempo se espalham as entradas dos usuários; no laço aberto, entram todos antes da primeira chegada.
    pub fn rampa(&self) -> Duration {
        match self {
            Carga::Fechada { rampa } => *rampa,
            Carga::Aberta { .. } => Duration::ZERO,
        }
    }

    /// As etapas do laço aberto; `None` no fechado.
    pub fn etapas(&self) -> Option<&[Etapa]> {
        match self {
            Carga::Fechada { .. } => None,
            Carga::Aberta { etapas } => Some(etapas),
        }
    }
}

/// As etapas por extenso: `500/s por 30s, depois 100/s por 1m`.
pub fn por_extenso(etapas: &[Etapa]) -> String {
    let uma = |etapa: &Etapa| {
        let taxa = format!("{}", etapa.taxa_por_s).replace('.', ",");
        format!("{taxa}/s por {}", como_se_pede(etapa.duracao))
    };
    etapas.iter().map(uma).collect::<Vec<_>>().join(", depois ")
}

/// As opções, como o clap as lê.
#[derive(Debug, Clone, Args)]
struct Pedida {
    /// Laço aberto: pedidos a esta taxa, seja qual for a demora do servidor (500/s, 30/min). A hora de cada um é
    /// sorteada (Poisson) pela semente, e a latência conta dela. Os usuários se revezam, sem decisão nem escuta
    #[arg(long, value_name = "TAXA", display_order = 14, value_parser = ler_taxa)]
    taxa: Option<f64>,

    /// Por quanto tempo chegam os pedidos de --taxa; depois se atendem os que já esperavam [padrão: 30s]
    #[arg(long, value_name = "DURAÇÃO", display_order = 14, requires = "taxa", value_parser = duracao_positiva)]
    durante: Option<Duration>,

    /// Espalha as entradas dos usuários por este tempo, que --acelerar também divide; ou, em etapas de duração e taxa
    /// como '30s:100/s,1m:500/s', é um laço aberto como o de --taxa, em degraus
    #[arg(long, value_name = "DURAÇÃO|ETAPAS", display_order = 14, default_value = "0s", conflicts_with_all = ["taxa", "durante"], value_parser = Rampa::ler)]
    rampa: Rampa,
}

/// O que se diz em `--rampa`.
#[derive(Debug, Clone, PartialEq)]
enum Rampa {
    Espalhada(Duration),
    Etapas(Vec<Etapa>),
}

impl Rampa {
    fn ler(texto: &str) -> Result<Self, String> {
        if !texto.contains([':', '/']) {
            let em_etapas = "em etapas, é como 30s:100/s,1m:500/s";
            return duracao(texto)
                .map(Rampa::Espalhada)
                .map_err(|erro| format!("{erro}; {em_etapas}"));
        }
        if tem_virgula_decimal(texto) {
            return Err(SEM_VIRGULA_DECIMAL.into());
        }
        let etapa = |(indice, texto): (usize, &str)| {
            ler_etapa(texto.trim())
                .map_err(|erro| format!("na etapa {} ('{}'), {erro}", indice + 1, texto.trim()))
        };
        texto.split(',').enumerate().map(etapa).collect::<Result<_, _>>().map(Rampa::Etapas)
    }
}

/// A vírgula separa etapas, e não casas decimais. Entre dois algarismos, quem a pôs queria outra coisa, se dos dois lados
/// dela não há etapas inteiras.
fn tem_virgula_decimal(texto: &str) -> bool {
    let pedacos: Vec<&str> = texto.split(',').collect();
    pedacos.windows(2).any(|par| {
        let algarismos = par[0].ends_with(|letra: char| letra.is_ascii_digit())
            && par[1].starts_with(|letra: char| letra.is_ascii_digit());
        algarismos && !par.iter().all(|pedaco| pedaco.contains(':'))
    })
}

fn ler_etapa(texto: &str) -> Result<Etapa, String> {
    let (quanto, taxa) = texto.split_once(':').ok_or("esperava DURAÇÃO:TAXA, como 30s:100/s")?;
    let duracao = duracao_positiva(quanto).map_err(|erro| erro.to_string())?;
    Ok(Etapa { duracao, taxa_por_s: ler_taxa(taxa)? })
}

/// Lê uma taxa como `500/s`, `30/min` ou `0,5/s`: quantas por segundo.
fn ler_taxa(texto: &str) -> Result<f64, String> {
    let Some((quantas, unidade)) = texto.split_once('/') else {
        let numero = texto.trim().replace(',', ".").parse::<f64>().is_ok();
        return Err(if numero {
            format!("falta a unidade: {0}/s, {0}/min ou {0}/h", texto.trim())
        } else {
            COMO_E_UMA_TAXA.into()
        });
    };
    let segundos = match unidade.trim() {
        "s" | "seg" | "segundo" => 1.0,
        "m" | "min" | "minuto" => 60.0,
        "h" | "hora" => 3600.0,
        outra => return Err(format!("a unidade '{outra}' não é s, min nem h")),
    };
    let quantas = quantas.trim().replace(',', ".").parse::<f64>().ok();
    let taxa = quantas.map(|quantas| quantas / segundos);
    taxa.filter(|taxa| *taxa > 0.0 && *taxa <= TAXA_MAXIMA).ok_or_else(|| COMO_E_UMA_TAXA.into())
}

impl FromArgMatches for Carga {
    fn from_arg_matches(lidas: &ArgMatches) -> Result<Self, Error> {
        let Pedida { taxa, durante, rampa } = Pedida::from_arg_matches(lidas)?;
        let (pedida, etapas) = match (taxa, rampa) {
            (None, Rampa::Espalhada(rampa)) => return Ok(Carga::Fechada { rampa }),
            (None, Rampa::Etapas(etapas)) => ("--rampa em etapas", etapas),
            (Some(taxa_por_s), _) => {
                let duracao = durante.unwrap_or(DURANTE);
                ("--taxa", vec![Etapa { duracao, taxa_por_s }])
            }
        };
        let dita = |nome: &str| lidas.value_source(nome) == Some(ValueSource::CommandLine);
        match SO_DO_LACO_FECHADO.iter().find(|(nome, _)| dita(nome)) {
            Some((_, opcao)) => Err(conflito(opcao, pedida)),
            None => Ok(Carga::Aberta { etapas }),
        }
    }

    fn update_from_arg_matches(&mut self, lidas: &ArgMatches) -> Result<(), Error> {
        *self = Carga::from_arg_matches(lidas)?;
        Ok(())
    }
}

impl Args for Carga {
    fn augment_args(comando: Command) -> Command {
        Pedida::augment_args(comando)
    }

    fn augment_args_for_update(comando: Command) -> Command {
        Pedida::augment_args_for_update(comando)
    }
}

fn conflito(opcao: &str, pedida: &str) -> Error {
    let mut erro = Error::new(ErrorKind::ArgumentConflict);
    for (qual, texto) in [(ContextKind::InvalidArg, opcao), (ContextKind::PriorArg, pedida)] {
        erro.insert(qual, ContextValue::String(texto.into()));
    }
    erro
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::opcoes::Opcoes;
    use clap::Parser;

    #[test]
    fn uma_taxa_e_quantas_por_unidade_de_tempo() {
        for (texto, taxa) in
            [("500/s", 500.0), ("30/min", 0.5), ("2 / s", 2.0), ("0,5/s", 0.5), ("36/h", 0.01)]
        {
            assert_eq!(ler_taxa(texto), Ok(taxa), "{texto}");
        }
        for errada in ["", "muitas", "/s", "0/s", "-1/s", "NaN/s", "inf/s", "100001/s", "s/5"] {
            assert!(ler_taxa(errada).is_err(), "{errada}");
        }
        assert_eq!(ler_taxa("500").unwrap_err(), "falta a unidade: 500/s, 500/min ou 500/h");
        assert_eq!(ler_taxa("5/dia").unwrap_err(), "a unidade 'dia' não é s, min nem h");
    }

    #[test]
    fn a_rampa_e_uma_duracao_ou_sao_etapas() {
        let etapa =
            |segundos, taxa_por_s| Etapa { duracao: Duration::from_secs(segundos), taxa_por_s };
        for (texto, ms) in [("10s", 10_000), ("0,5s", 500)] {
            assert_eq!(Rampa::ler(texto), Ok(Rampa::Espalhada(Duration::from_millis(ms))));
        }
        let tres = vec![etapa(30, 100.0), etapa(60, 500.0), etapa(30, 0.5)];
        assert_eq!(Rampa::ler("30s:100/s, 1m:500/s,30s:30/min"), Ok(Rampa::Etapas(tres.clone())));
        assert_eq!(por_extenso(&tres[1..]), "500/s por 1m, depois 0,5/s por 30s");
        let erro = |texto| Rampa::ler(texto).unwrap_err();
        assert!(erro("depressa").contains("em etapas, é como"), "{}", erro("depressa"));
        assert!(erro("30s:100/s,1m500/s").starts_with("na etapa 2 ('1m500/s'), esperava DURAÇÃO:"));
        assert!(erro("0s:100/s").starts_with("na etapa 1 ('0s:100/s'), "), "{}", erro("0s:100/s"));
        // Com a vírgula de um decimal, não se fala de etapas que ninguém escreveu.
        for decimal in ["1s:0,5/s", "0,5s:10/s", "1s:5/s,1s:0,5/s", "1s:0,5/s,1m:5/s"] {
            assert_eq!(erro(decimal), SEM_VIRGULA_DECIMAL, "{decimal}");
        }
        assert!(Rampa::ler("1.5s:0.5/s,1m:500/s").is_ok());
        assert!(erro("1s:5,2s:6/s").ends_with("falta a unidade: 5/s, 5/min ou 5/h"));
        assert!(erro("1s:5").ends_with("falta a unidade: 5/s, 5/min ou 5/h"), "{}", erro("1s:5"));
    }

    #[test]
    fn o_laco_aberto_nao_aceita_as_esperas_do_fechado() {
        let carga = |linha: &str| Opcoes::try_parse_from(linha.split(' ')).map(|o| o.carga);
        let fechada = Carga::Fechada { rampa: Duration::ZERO };
        assert_eq!(carga("cliente --ciclos 3 --threads 2").unwrap(), fechada);
        let aberta = |segundos, taxa_por_s| {
            let duracao = Duration::from_secs(segundos);
            Carga::Aberta { etapas: vec![Etapa { duracao, taxa_por_s }] }
        };
        assert_eq!(carga("cliente --taxa 5/s").unwrap(), aberta(30, 5.0));
        assert_eq!(carga("cliente --usuarios 9 --taxa 5/s --durante 2s").unwrap(), aberta(2, 5.0));
        assert_eq!(carga("cliente --rampa 2s:5/s").unwrap(), aberta(2, 5.0));
        for opcao in [
            "--ciclos 3",
            "--decisao 1s",
            "--escuta 1s",
            "--acelerar 2",
            "--reconectar",
            "--pedidos",
            "--threads 2",
        ] {
            for pedida in ["--taxa 5/s", "--rampa 1s:5/s"] {
                let erro = carga(&format!("cliente {pedida} {opcao}")).unwrap_err();
                assert_eq!(erro.kind(), ErrorKind::ArgumentConflict, "{pedida} {opcao}");
            }
        }
        for errada in ["--taxa 5/s --rampa 1s", "--durante 5s", "--rampa 1s:5/s --durante 5s"] {
            assert!(carga(&format!("cliente {errada}")).is_err(), "{errada}");
        }
    }
}
