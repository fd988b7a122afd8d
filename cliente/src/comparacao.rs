//! Duas simulações lado a lado, pelos JSON delas: o que mudou, e o que piorou além da tolerância. Não simula nem
//! julga: os vereditos são os que cada uma deu.
//!
//! ```text
//!   leitura        um arquivo, conferido
//!   comparacao     as linhas da tabela, e o que piorou: puro
//!   laco           o que muda se as chegadas têm hora marcada: as linhas delas, e de onde conta a latência
//!   pagina         a mesma tabela, em HTML, com uma barra por número
//! ```
//!
//! Só se cobra o que tem lado bom: os vereditos, a vazão, as falhas, os pedidos sem resposta, as compras numeradas de que
//! ficou dúvida, p50, p90 e p99 e o espalhamento do AVISO. Vendas e consultas dependem do que se pediu; p99,9 e o máximo,
//! de um pedido ou outro: mostram-se sem cobrar.

mod laco;
pub mod leitura;
mod pagina;

use std::fmt;

use laco::Lacos;
use leitura::{Documento, Latencias, Pedidos};

use crate::cores::{self, Tinta};
use crate::tempo::formatar;
use std::time::Duration;

/// Quanto se aceita piorar, como fração: 0,1 são 10%.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerancia(f64);

impl Tolerancia {
    /// Lê `10%`, `2,5%` ou `10`.
    ///
    /// # Errors
    ///
    /// Não é uma porcentagem de 0 a 1000.
    pub fn ler(texto: &str) -> Result<Self, String> {
        let numero = texto.trim().trim_end_matches('%').replace(',', ".");
        match numero.trim().parse::<f64>() {
            Ok(porcento) if (0.0..=1000.0).contains(&porcento) => Ok(Tolerancia(porcento / 100.0)),
            _ => Err("esperava uma porcentagem de 0 a 1000, como 10%".into()),
        }
    }
}

/// Que lado é o bom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Melhor {
    Menos,
    Mais,
    /// Só se mostra.
    Nenhum,
}

/// O que uma linha mostra.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unidade {
    Contagem,
    Segundos,
    PorSegundo,
}

impl Unidade {
    fn escrever(self, valor: Option<f64>) -> String {
        match (self, valor) {
            (_, None) => "-".into(),
            (Unidade::Contagem | Unidade::PorSegundo, Some(valor)) => format!("{valor:.0}"),
            (Unidade::Segundos, Some(valor)) => {
                Duration::try_from_secs_f64(valor).map_or_else(|_| "-".into(), formatar)
            }
        }
    }
}

/// Como a segunda ficou em relação à primeira.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mudanca {
    /// Igual, ou dentro da tolerância.
    Igual,
    /// Melhor, além da tolerância.
    Melhorou,
    /// Pior, além da tolerância.
    Piorou,
    /// Não tem lado bom, ou só uma a mediu.
    SemJuizo,
}

impl Mudanca {
    fn tinta(self) -> Tinta {
        match self {
            Mudanca::Melhorou => Tinta::Boa,
            Mudanca::Piorou => Tinta::Ruim,
            Mudanca::Igual | Mudanca::SemJuizo => Tinta::Neutra,
        }
    }

    fn palavra(self) -> &'static str {
        match self {
            Mudanca::Igual => "igual",
            Mudanca::Melhorou => "melhorou",
            Mudanca::Piorou => "piorou",
            Mudanca::SemJuizo => "",
        }
    }
}

/// Uma linha da comparação.
#[derive(Debug, Clone, PartialEq)]
pub struct Linha {
    /// O que se compara.
    pub nome: String,
    /// O que cada uma teve, como se escreve.
    pub valores: [String; 2],
    /// Quanto a segunda mudou, em porcentagem, se há conta a fazer.
    pub variacao: String,
    /// O que se conclui.
    pub mudanca: Mudanca,
    /// Os dois números, se são números e se sabem.
    numeros: Option<[f64; 2]>,
}

/// Duas simulações, comparadas.
#[derive(Debug)]
pub struct Comparacao {
    /// Os nomes delas: os arquivos.
    pub nomes: [String; 2],
    /// As linhas, na ordem da tabela.
    pub linhas: Vec<Linha>,
    /// O que se pediu de diferente a cada uma.
    pub diferencas: Vec<String>,
}

impl Comparacao {
    /// Compara a segunda com a primeira.
    pub fn de(nomes: [String; 2], pares: &[Documento; 2], tolerancia: Tolerancia) -> Self {
        let mut linhas = vec![
            veredito("veredito do estoque", pares.each_ref().map(Documento::estoque)),
            veredito("veredito do AVISO", pares.each_ref().map(Documento::aviso)),
        ];
        let lacos = Lacos::de(pares);
        linhas.extend(lacos.taxa_oferecida(pares));
        let com_pedidos = pares.iter().any(|par| par.resumo.pedidos.is_some());
        let dos_pedidos = if com_pedidos { &DOS_PEDIDOS[..] } else { &[] };
        let numeros = [&NUMEROS[..], dos_pedidos, &lacos.numeros()].concat();
        for (nome, unidade, melhor, valor) in numeros {
            let valores = pares.each_ref().map(valor);
            linhas.push(numero(nome.into(), valores, unidade, melhor, tolerancia));
        }
        for (comando, cobra, de) in lacos.latencias() {
            for (quantil, melhor, valor) in QUANTIS {
                let valores = pares.each_ref().map(|par| de(par).map(valor));
                let nome = format!("{quantil} de {comando}");
                let melhor = if cobra { melhor } else { Melhor::Nenhum };
                linhas.push(numero(nome, valores, Unidade::Segundos, melhor, tolerancia));
            }
        }
        Comparacao { nomes, linhas, diferencas: diferencas(pares) }
    }

    /// As linhas que pioraram além da tolerância.
    pub fn pioraram(&self) -> Vec<&Linha> {
        self.linhas.iter().filter(|linha| linha.mudanca == Mudanca::Piorou).collect()
    }

    /// A conclusão, em uma frase.
    pub fn frase(&self) -> String {
        let nomes: Vec<&str> = self.pioraram().iter().map(|linha| linha.nome.as_str()).collect();
        match nomes.as_slice() {
            [] => "nada piorou além da tolerância".into(),
            nomes => format!("piorou além da tolerância: {}", nomes.join(", ")),
        }
    }
}

type Numero = (&'static str, Unidade, Melhor, fn(&Documento) -> Option<f64>);

const NUMEROS: [Numero; 8] = [
    ("consultas", Unidade::Contagem, Melhor::Nenhum, |d| Some(d.resumo.consultas as f64)),
    ("vendas", Unidade::Contagem, Melhor::Nenhum, |d| Some(d.resumo.vendas as f64)),
    ("recusas", Unidade::Contagem, Melhor::Nenhum, |d| Some(d.resumo.recusas as f64)),
    ("AVISOs", Unidade::Contagem, Melhor::Nenhum, |d| Some(d.resumo.avisos as f64)),
    ("falhas", Unidade::Contagem, Melhor::Menos, |d| Some(d.falhas())),
    ("sem resposta", Unidade::Contagem, Melhor::Menos, |d| Some(d.resumo.sem_resposta.soma())),
    ("respondidos de outro modo", Unidade::Contagem, Melhor::Menos, |d| {
        Some(d.resumo.de_outro_modo.soma())
    }),
    ("espalhamento do AVISO", Unidade::Segundos, Melhor::Menos, |d| d.resumo.espalhamento_s),
];

/// Se alguma das duas numerou as compras. Quantas se perguntaram de novo depende de quantas vezes alguém derrubou o
/// servidor; o que não pode haver é dúvida.
const DOS_PEDIDOS: [Numero; 4] = [
    ("pedidos numerados", Unidade::Contagem, Melhor::Nenhum, |d| do_pedido(d, |p| p.ids)),
    ("perguntados de novo", Unidade::Contagem, Melhor::Nenhum, |d| do_pedido(d, |p| p.insistidos)),
    ("repetidos de propósito", Unidade::Contagem, Melhor::Nenhum, |d| {
        do_pedido(d, |p| p.repetidos)
    }),
    ("compras desconhecidas", Unidade::Contagem, Melhor::Menos, |d| Some(d.desconhecidas() as f64)),
];

fn do_pedido(documento: &Documento, conta: fn(&Pedidos) -> u64) -> Option<f64> {
    documento.resumo.pedidos.as_ref().map(|pedidos| conta(pedidos) as f64)
}

type Quantil = (&'static str, Melhor, fn(&Latencias) -> f64);

const QUANTIS: [Quantil; 5] = [
    ("p50", Melhor::Menos, |l| l.p50_s),
    ("p90", Melhor::Menos, |l| l.p90_s),
    ("p99", Melhor::Menos, |l| l.p99_s),
    ("p99,9", Melhor::Nenhum, |l| l.p999_s),
    ("máximo", Melhor::Nenhum, |l| l.maximo_s),
];

/// Um veredito: a palavra, e quão ruim é.
fn veredito(nome: &str, [antes, depois]: [(&'static str, u8); 2]) -> Linha {
    let mudanca = match depois.1.cmp(&antes.1) {
        std::cmp::Ordering::Less => Mudanca::Melhorou,
        std::cmp::Ordering::Equal => Mudanca::Igual,
        std::cmp::Ordering::Greater => Mudanca::Piorou,
    };
    let valores = [antes.0.into(), depois.0.into()];
    Linha { nome: nome.into(), valores, variacao: String::new(), mudanca, numeros: None }
}

fn numero(
    nome: String,
    valores: [Option<f64>; 2],
    unidade: Unidade,
    melhor: Melhor,
    tolerancia: Tolerancia,
) -> Linha {
    let numeros = match valores {
        [Some(antes), Some(depois)] => Some([antes, depois]),
        _ => None,
    };
    let mudanca = numeros.map_or(Mudanca::SemJuizo, |par| mudanca(par, melhor, tolerancia));
    let variacao = match numeros {
        Some([antes, depois]) if antes > 0.0 => {
            format!("{:+.1}%", (depois / antes - 1.0) * 100.0).replace('.', ",")
        }
        _ => String::new(),
    };
    let valores = valores.map(|valor| unidade.escrever(valor));
    Linha { nome, valores, variacao, mudanca, numeros }
}

fn mudanca([antes, depois]: [f64; 2], melhor: Melhor, Tolerancia(t): Tolerancia) -> Mudanca {
    // Quanto pior é a segunda: positivo é pior. De zero, qualquer coisa passa de qualquer tolerância.
    let (piora, limite) = match melhor {
        Melhor::Menos => (depois - antes, antes * t),
        Melhor::Mais => (antes - depois, antes * t),
        Melhor::Nenhum => return Mudanca::SemJuizo,
    };
    if piora > limite {
        Mudanca::Piorou
    } else if -piora > limite {
        Mudanca::Melhorou
    } else {
        Mudanca::Igual
    }
}

/// O que se pediu de diferente: sem isso, uma multidão maior pareceria um servidor pior. O servidor e a semente podem
/// ser outros.
fn diferencas(pares: &[Documento; 2]) -> Vec<String> {
    let [uma, outra] = pares.each_ref().map(|par| &par.parametros);
    let chegam = pares.each_ref().map(laco::como_chegam);
    let mut diferencas = Vec::new();
    if chegam[0] != chegam[1] {
        diferencas.push(format!("chegadas: {} e {}", chegam[0], chegam[1]));
    }
    let ditos = ["servidor", "semente", "etapas"];
    for (nome, antes) in uma.iter().filter(|(nome, _)| !ditos.contains(&nome.as_str())) {
        let Some(depois) = outra.get(nome).filter(|depois| *depois != antes) else { continue };
        // O que um dos laços não tem já se disse.
        let do_fechado = ["ciclos", "decisao_s", "escuta_s", "rampa_s"].contains(&nome.as_str());
        if !(do_fechado && (antes.is_null() || depois.is_null())) {
            diferencas.push(format!("{nome}: {antes} e {depois}"));
        }
    }
    diferencas
}

impl fmt::Display for Comparacao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [antes, depois] = &self.nomes;
        writeln!(f, "A: {antes}\nB: {depois}")?;
        for diferenca in &self.diferencas {
            writeln!(f, "Não se pediu o mesmo às duas: {diferenca}")?;
        }
        let largura = self.linhas.iter().map(|linha| linha.nome.chars().count()).max().unwrap_or(0);
        let largura = largura.max(28);
        writeln!(f, "\n  {:largura$}{:>16}{:>16}{:>10}", "", "A", "B", "de A a B")?;
        for Linha { nome, valores: [a, b], variacao, mudanca, .. } in &self.linhas {
            write!(f, "  {nome:largura$}{a:>16}{b:>16}{variacao:>10}")?;
            if *mudanca != Mudanca::SemJuizo {
                f.write_str("  ")?;
                cores::pintar(f, mudanca.tinta(), mudanca.palavra())?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\nConclusão: {}", self.frase())
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    const DEZ: Tolerancia = Tolerancia(0.1);

    #[test]
    fn a_tolerancia_e_uma_porcentagem() {
        assert_eq!(Tolerancia::ler("10%"), Ok(DEZ));
        assert_eq!(Tolerancia::ler("2,5 %"), Ok(Tolerancia(0.025)));
        for errada in ["", "%", "-1%", "muito", "NaN", "1001%"] {
            assert!(Tolerancia::ler(errada).is_err(), "{errada}");
        }
    }

    #[test]
    fn piora_o_que_vai_para_o_lado_ruim_alem_da_tolerancia() {
        let casos = [
            ([100.0, 110.0], Melhor::Menos, Mudanca::Igual),
            ([100.0, 111.0], Melhor::Menos, Mudanca::Piorou),
            ([100.0, 89.0], Melhor::Menos, Mudanca::Melhorou),
            ([100.0, 89.0], Melhor::Mais, Mudanca::Piorou),
            ([100.0, 90.0], Melhor::Mais, Mudanca::Igual),
            ([0.0, 1.0], Melhor::Menos, Mudanca::Piorou),
            ([0.0, 0.0], Melhor::Menos, Mudanca::Igual),
            ([1.0, 900.0], Melhor::Nenhum, Mudanca::SemJuizo),
        ];
        for (par, melhor, esperada) in casos {
            assert_eq!(mudanca(par, melhor, DEZ), esperada, "{par:?} {melhor:?}");
        }
    }

    #[test]
    fn o_que_so_uma_mediu_nao_se_julga() {
        let valores = [Some(1.0), None];
        let linha = numero("x".into(), valores, Unidade::Segundos, Melhor::Menos, DEZ);
        assert_eq!(linha.mudanca, Mudanca::SemJuizo);
        assert_eq!(linha.valores, ["1,00 s", "-"]);
    }
}
