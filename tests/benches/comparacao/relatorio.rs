//! O que se viu, para quem lê (as tabelas) e para um programa (o JSON). Não desenha: veja `graficos`.

use serde_json::{Value, json};

use crate::aviso::Transmissao;
use crate::maquina::Maquina;
use crate::memoria::Parada;
use crate::opcoes::Tempos;
use crate::pares::Par;
use crate::vazao::{Amostra, Quadro, mediana};

/// Tudo o que se mediu.
#[derive(Debug)]
pub struct Resultado {
    /// Onde e quando.
    pub maquina: Maquina,
    /// Quantas rodadas, e de quanto.
    pub tempos: Tempos,
    /// Os que não prometem nada ao disco.
    pub rapidos: Vec<Quadro>,
    /// Os que prometem.
    pub duraveis: Vec<Quadro>,
    /// A memória por conexão parada.
    pub memoria: Vec<Repetida<Parada>>,
    /// O AVISO, por número de ouvintes.
    pub avisos: Vec<(usize, Vec<Repetida<Transmissao>>)>,
}

/// Uma medida de um par, repetida, ou por que não se pôde medir.
#[derive(Debug)]
pub struct Repetida<T> {
    /// De quem.
    pub par: Par,
    /// As repetições.
    pub medidas: Result<Vec<T>, String>,
}

impl<T> Repetida<T> {
    /// A mediana de algo, se foi medido.
    pub fn mediana(&self, o_que: impl Fn(&T) -> f64) -> Option<f64> {
        mediana(self.medidas.as_ref().ok()?.iter().map(o_que))
    }
}

/// A mediana de algo que um par repetiu.
pub fn mediana_de<T>(todas: &[Repetida<T>], par: Par, o_que: impl Fn(&T) -> f64) -> Option<f64> {
    todas.iter().find(|repetida| repetida.par == par)?.mediana(o_que)
}

/// A mediana das razões, repetição a repetição, de algo de `um` para o mesmo de `outro`.
pub fn razao_de<T>(
    todas: &[Repetida<T>],
    um: Par,
    outro: Par,
    o_que: impl Fn(&T) -> f64,
) -> Option<f64> {
    let de = |par| todas.iter().find(|r| r.par == par)?.medidas.as_ref().ok();
    mediana(de(um)?.iter().zip(de(outro)?).map(|(um, outro)| o_que(um) / o_que(outro)))
}

/// Um número com tantas casas, com vírgula; um traço, se não há.
pub fn numero(valor: Option<f64>, casas: usize) -> String {
    valor.map_or("—".into(), |valor| format!("{valor:.casas$}").replace('.', ","))
}

/// Um inteiro com os milhares separados.
pub fn inteiro(valor: Option<f64>) -> String {
    let Some(valor) = valor else { return "—".into() };
    let algarismos = format!("{valor:.0}");
    let mut texto = String::new();
    for (indice, algarismo) in algarismos.chars().enumerate() {
        if indice > 0 && (algarismos.len() - indice).is_multiple_of(3) {
            texto.push('.');
        }
        texto.push(algarismo);
    }
    texto
}

/// Um tempo em microssegundos, na unidade que o deixa curto.
pub fn tempo(micros: Option<f64>) -> String {
    match micros {
        None => "—".into(),
        Some(micros) if micros < 1e3 => format!("{micros:.0} µs"),
        Some(micros) if micros < 1e6 => format!("{} ms", numero(Some(micros / 1e3), 2)),
        Some(micros) => format!("{} s", numero(Some(micros / 1e6), 2)),
    }
}

/// A tabela de uma célula. `nosso` é o numerador das razões.
pub fn mostrar_quadro(quadro: &Quadro, nosso: Par, tempos: &Tempos) {
    let celula = quadro.celula;
    println!(
        "\n{} × {}: conexões × pedidos em voo em cada ({})",
        celula.conexoes,
        celula.em_voo,
        descrever_rodadas(tempos),
    );
    println!(
        "  {:<18} {:>10}  {:>9} {:>9} {:>9} {:>9}  {:>11} {:>6}  {:>7}",
        "", "comandos/s", "nosso÷par", "p50", "p99", "p99,9", "CPU/comando", "÷eco", "gerador"
    );
    for par in &quadro.pares {
        if let Some(motivo) = quadro.ausentes.get(par) {
            println!("  {:<18} não medido: {motivo}", par.nome());
            continue;
        }
        let mediana = |o_que: fn(&Amostra) -> f64| quadro.mediana(*par, o_que);
        let razao = |um, outro, o_que: fn(&Amostra) -> f64| {
            quadro.razao(um, outro, o_que).filter(|_| tempos.chegam())
        };
        println!(
            "  {:<18} {:>10}  {:>9} {:>9} {:>9} {:>9}  {:>8} µs {:>6}  {:>6}%",
            par.nome(),
            inteiro(mediana(|a| a.vazao)),
            numero(razao(nosso, *par, |a| a.vazao), 2),
            tempo(mediana(|a| a.latencias[0])),
            tempo(mediana(|a| a.latencias[1])),
            tempo(mediana(|a| a.latencias[2])),
            numero(mediana(|a| a.cpu), 2),
            numero(razao(*par, Par::Eco, |a| a.cpu), 2),
            numero(mediana(|a| a.gerador * 100.0), 0),
        );
    }
}

/// Quantas rodadas, e de quanto, como `5 rodadas de 1s`.
pub fn descrever_rodadas(tempos: &Tempos) -> String {
    let rodadas = protocolo::terminal::contar(tempos.rodadas, "rodada", "rodadas");
    format!("{rodadas} de {}", humantime::format_duration(tempos.janela))
}

/// A tabela da memória.
pub fn mostrar_memoria(memoria: &[Repetida<Parada>], conexoes: usize) {
    println!("\nMemória do processo por conexão parada, com {conexoes} delas");
    println!("  {:<18} {:>12}  {:>14}", "", "nunca falou", "já respondida");
    for repetida in memoria {
        match &repetida.medidas {
            Err(motivo) => println!("  {:<18} não medido: {motivo}", repetida.par.nome()),
            Ok(_) => println!(
                "  {:<18} {:>10} B  {:>12} B",
                repetida.par.nome(),
                inteiro(repetida.mediana(|p| p.calada)),
                inteiro(repetida.mediana(|p| p.atendida)),
            ),
        }
    }
}

/// A tabela do AVISO.
pub fn mostrar_aviso(ouvintes: usize, avisos: &[Repetida<Transmissao>], tempos: &Tempos) {
    println!("\nO AVISO a {ouvintes} conexões (no Redis, PUBLISH; no eco, só um write a cada uma)");
    println!(
        "  {:<18} {:>13} {:>6}  {:>18} {:>12}",
        "", "até o último", "÷eco", "pergunta no meio", "÷até o último"
    );
    let razao = |par| razao_de(avisos, par, Par::Eco, |t| t.ultimo).filter(|_| tempos.chegam());
    for repetida in avisos {
        match &repetida.medidas {
            Err(motivo) => println!("  {:<18} não medido: {motivo}", repetida.par.nome()),
            Ok(_) => println!(
                "  {:<18} {:>13} {:>6}  {:>18} {:>12}",
                repetida.par.nome(),
                tempo(repetida.mediana(|t| t.ultimo)),
                numero(razao(repetida.par), 2),
                tempo(repetida.mediana(|t| t.vizinho)),
                numero(repetida.mediana(|t| t.vizinho / t.ultimo).filter(|_| tempos.chegam()), 2),
            ),
        }
    }
}

impl Resultado {
    /// Tudo, rodada a rodada, para um programa.
    pub fn json(&self) -> Value {
        let maquina = &self.maquina;
        json!({
            "maquina": {
                "processador": maquina.processador,
                "nucleos": maquina.nucleos,
                "linux": maquina.nucleo,
                "dia": maquina.dia,
                "carga_antes": maquina.carga,
            },
            "rodadas": self.tempos.rodadas,
            "janela_s": self.tempos.janela.as_secs_f64(),
            "vazao": self.rapidos.iter().flat_map(json_do_quadro).collect::<Vec<_>>(),
            "duraveis": self.duraveis.iter().flat_map(json_do_quadro).collect::<Vec<_>>(),
            "memoria": self.memoria.iter().map(|repetida| json_de(repetida, |p| json!({
                "nunca_falou": p.calada, "ja_respondida": p.atendida,
            }))).collect::<Vec<_>>(),
            "aviso": self.avisos.iter().map(|(ouvintes, avisos)| json!({
                "ouvintes": ouvintes,
                "pares": avisos.iter().map(|repetida| json_de(repetida, |t| json!({
                    "ultimo_us": t.ultimo, "pergunta_no_meio_us": t.vizinho,
                }))).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }
}

fn json_do_quadro(quadro: &Quadro) -> Vec<Value> {
    let linha = |par: &Par| {
        let rodadas = quadro.amostras.get(par).into_iter().flatten().map(|amostra| {
            json!({
                "comandos_por_s": amostra.vazao,
                "p50_us": amostra.latencias[0],
                "p99_us": amostra.latencias[1],
                "p999_us": amostra.latencias[2],
                "cpu_us_por_comando": amostra.cpu,
                "gerador_ocupado": amostra.gerador,
            })
        });
        json!({
            "par": par.nome(),
            "conexoes": quadro.celula.conexoes,
            "em_voo": quadro.celula.em_voo,
            "ausente": quadro.ausentes.get(par),
            "rodadas": rodadas.collect::<Vec<_>>(),
        })
    };
    quadro.pares.iter().map(linha).collect()
}

fn json_de<T>(repetida: &Repetida<T>, medida: impl Fn(&T) -> Value) -> Value {
    json!({
        "par": repetida.par.nome(),
        "ausente": repetida.medidas.as_ref().err(),
        "medidas": repetida.medidas.iter().flatten().map(medida).collect::<Vec<_>>(),
    })
}
