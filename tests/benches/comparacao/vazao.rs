//! A vazão, a latência e a CPU por comando, célula a célula. Uma célula é um número de conexões e de
//! pedidos em voo em cada uma; em cada rodada passam por ela todos os pares, um atrás do outro, cada um
//! recém-aberto. As razões são entre números da mesma rodada, e a mediana vem depois: o que a máquina
//! sofre enquanto se mede atinge os dois lados da conta.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::gerador::Carga;
use crate::opcoes::Tempos;
use crate::pares::Par;

/// Quantas conexões, e quantos pedidos em voo em cada uma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Celula {
    /// Conexões.
    pub conexoes: usize,
    /// Pedidos em voo por conexão.
    pub em_voo: usize,
}

impl fmt::Display for Celula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.conexoes, self.em_voo)
    }
}

/// O que um par fez em uma célula, em uma rodada.
#[derive(Debug, Clone, Copy)]
pub struct Amostra {
    /// Respostas por segundo.
    pub vazao: f64,
    /// Latências, em microssegundos: p50, p99 e p99,9.
    pub latencias: [f64; 3],
    /// Microssegundos de CPU do servidor por comando.
    pub cpu: f64,
    /// Fração da janela que o gerador passou ocupado.
    pub gerador: f64,
}

/// Todas as rodadas de uma célula, e por que faltam as que faltam.
#[derive(Debug)]
pub struct Quadro {
    /// Qual.
    pub celula: Celula,
    /// Os pares, na ordem da tabela.
    pub pares: Vec<Par>,
    /// Por par, uma amostra por rodada.
    pub amostras: HashMap<Par, Vec<Amostra>>,
    /// Por que um par não está aqui.
    pub ausentes: HashMap<Par, String>,
}

impl Quadro {
    /// Mede `pares` em uma célula, rodada a rodada.
    pub fn medir(celula: Celula, pares: &[Par], tempos: &Tempos) -> Self {
        let cabem = |par: &&Par| par.aceita(celula.conexoes, celula.em_voo);
        let pares: Vec<Par> = pares.iter().filter(cabem).copied().collect();
        let (amostras, ausentes) = (HashMap::new(), HashMap::new());
        let mut quadro = Quadro { celula, pares, amostras, ausentes };
        for rodada in 0..tempos.rodadas {
            // Ninguém é sempre o primeiro.
            for vez in 0..quadro.pares.len() {
                let par = quadro.pares[(vez + rodada) % quadro.pares.len()];
                quadro.rodada(par, tempos);
            }
        }
        quadro
    }

    fn rodada(&mut self, par: Par, tempos: &Tempos) {
        if self.ausentes.contains_key(&par) {
            return;
        }
        match medir(par, self.celula, tempos) {
            Ok(amostra) => self.amostras.entry(par).or_default().push(amostra),
            // Quem falha uma vez sai da célula: metade das rodadas não dá uma mediana.
            Err(motivo) => {
                self.amostras.remove(&par);
                self.ausentes.insert(par, motivo);
            }
        }
    }

    /// A mediana de algo deste par, se ele foi medido.
    pub fn mediana(&self, par: Par, o_que: impl Fn(&Amostra) -> f64) -> Option<f64> {
        mediana(self.amostras.get(&par)?.iter().map(o_que))
    }

    /// A mediana, entre as rodadas, da razão de algo de `um` para o mesmo de `outro`.
    pub fn razao(&self, um: Par, outro: Par, o_que: impl Fn(&Amostra) -> f64) -> Option<f64> {
        let (uns, outros) = (self.amostras.get(&um)?, self.amostras.get(&outro)?);
        mediana(uns.iter().zip(outros).map(|(um, outro)| o_que(um) / o_que(outro)))
    }
}

/// O valor do meio; de um número par deles, a média dos dois do meio.
pub fn mediana(valores: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut valores: Vec<f64> = valores.into_iter().collect();
    valores.sort_unstable_by(f64::total_cmp);
    let meio = valores.len() / 2;
    match valores.len() {
        0 => None,
        quantos if quantos % 2 == 1 => Some(valores[meio]),
        _ => Some(f64::midpoint(valores[meio - 1], valores[meio])),
    }
}

fn medir(par: Par, celula: Celula, tempos: &Tempos) -> Result<Amostra, String> {
    let aberto = par.abrir()?;
    let Celula { conexoes, em_voo } = celula;
    let mut carga = Carga::conectar(&[aberto.endereco], &par.fala(), conexoes)
        .map_err(|erro| format!("não aceitou {conexoes} conexões: {erro}"))?;
    let mut correr = |janela: Duration| {
        let corrida = carga.correr(em_voo, tempos.aquecimento, janela);
        corrida.map_err(|erro| format!("parou de responder: {erro}"))
    };
    correr(Duration::ZERO)?;
    // Nada está em voo: o que ele gastar daqui até a corrida acabar é com estes pedidos.
    let antes = aberto.cpu();
    let corrida = correr(tempos.janela)?;
    let cpu = aberto.cpu() - antes;
    par.conferir(&aberto, carga.respostas)?;
    let latencia = |quantil| corrida.latencias.value_at_quantile(quantil) as f64 / 1e3;
    Ok(Amostra {
        vazao: corrida.na_janela as f64 / tempos.janela.as_secs_f64(),
        latencias: [0.5, 0.99, 0.999].map(latencia),
        cpu: cpu.as_secs_f64() * 1e6 / corrida.respostas as f64,
        gerador: corrida.cpu.as_secs_f64() / corrida.duracao.as_secs_f64(),
    })
}
