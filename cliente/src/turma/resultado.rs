//! O que se conclui de uma entrega, como se guarda entre uma execução e outra. Só dados: quem o escreve é a
//! [`correcao`](super::correcao), e quem o lê é a [`corrida`](super::corrida).

use serde::{Deserialize, Serialize};

use crate::observacao::regras::Estado;

/// O que a avaliação de uma entrega concluiu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "situacao")]
pub enum Desfecho {
    /// Tem nota.
    Avaliada(Avaliada),
    /// O programa entregue não abre: não vale pontos, e se diz por quê.
    NaoAbriu {
        /// Por quê.
        motivo: String,
        /// O tempo pode ter decidido.
        tempo_decidiu: bool,
    },
    /// Não se pôde avaliar, e a culpa não é de quem entregou: fica sem nota.
    SemNota {
        /// Por quê.
        motivo: String,
    },
}

/// Uma nota, e o que ela resume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Avaliada {
    /// Sem os extras.
    pub nota: f64,
    /// Os itens do §10.
    pub itens: Vec<ItemLido>,
    /// Os extras do §9.
    pub extras: Vec<ExtraLido>,
    /// O que mais custou pontos.
    pub razao: String,
    /// Alguma coisa que custou pontos pode ter sido só demora.
    pub tempo_decidiu: bool,
    /// A porta em que o servidor escuta.
    pub porta: u16,
}

/// Um item, em números.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemLido {
    /// O nome que o enunciado lhe dá.
    pub nome: String,
    /// Os pontos.
    pub pontos: f64,
    /// O peso.
    pub de: f64,
}

/// Um extra, em palavras.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraLido {
    /// O nome que o enunciado lhe dá.
    pub nome: String,
    /// Se foi cumprido.
    pub estado: String,
}

/// O que se viu do cliente de uma entrega, que não muda a nota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "situacao")]
pub enum ClienteVisto {
    /// Executou-se, e cada exigência tem a sua conclusão.
    Observado {
        /// Como se abriu.
        iniciar: String,
        /// As exigências, na ordem do enunciado.
        exigencias: Vec<ExigenciaLida>,
    },
    /// Não se pôde observar.
    NaoSeViu {
        /// Por quê.
        motivo: String,
    },
}

/// Uma exigência do cliente, e o que se concluiu dela.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExigenciaLida {
    /// O nome que não muda.
    pub chave: String,
    /// O que se exige.
    pub nome: String,
    /// Onde o enunciado o diz.
    pub secao: String,
    /// O que se concluiu.
    pub estado: Estado,
    /// O que se viu.
    pub viu: String,
}

impl ClienteVisto {
    /// As exigências que ficaram assim.
    pub fn com(&self, estado: Estado) -> Vec<&ExigenciaLida> {
        match self {
            ClienteVisto::Observado { exigencias, .. } => {
                exigencias.iter().filter(|exigencia| exigencia.estado == estado).collect()
            }
            ClienteVisto::NaoSeViu { .. } => Vec::new(),
        }
    }

    /// Em uma linha: quantas cumpriu das que se viram, ou por que não se viu.
    pub fn resumo(&self) -> String {
        let [sim, nao, sem] = [Estado::Cumprido, Estado::NaoCumprido, Estado::NaoSeViu]
            .map(|estado| self.com(estado).len());
        match self {
            ClienteVisto::NaoSeViu { motivo } => format!("não se viu: {motivo}"),
            ClienteVisto::Observado { .. } if sem == 0 => format!("cumpre {sim} de {}", sim + nao),
            ClienteVisto::Observado { .. } => {
                format!("cumpre {sim} de {}; {sem} não se viram", sim + nao)
            }
        }
    }
}

/// O resultado de uma entrega.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resultado {
    /// De quem é.
    pub nome: String,
    /// O número que o Moodle lhe dá.
    pub id: Option<String>,
    /// O nome dos arquivos dela.
    pub apelido: String,
    /// A entrega e as opções de quando foi avaliada: se não mudaram, o resultado ainda vale.
    pub impressao: String,
    /// O que se concluiu.
    pub desfecho: Desfecho,
    /// Como se abriu o servidor.
    pub iniciar: String,
    /// O que se fez antes de abri-lo.
    pub preparar: Option<String>,
    /// De quem é o comando: adivinhado, do professor ou da entrega.
    pub origem: String,
    /// O arquivo do servidor.
    pub servidor: String,
    /// O do cliente, se há um.
    pub cliente: Option<String>,
    /// O que se viu do cliente, se se pediu.
    #[serde(default)]
    pub observado: Option<ClienteVisto>,
    /// O que o professor deve saber.
    pub notas: Vec<String>,
    /// Nada mais se avaliava ao mesmo tempo.
    pub sozinha: bool,
    /// Quanto levou, em segundos.
    pub segundos: f64,
}

impl Desfecho {
    /// A nota, se há uma: de quem não abre, zero.
    pub fn nota(&self) -> Option<f64> {
        match self {
            Desfecho::Avaliada(avaliada) => Some(avaliada.nota),
            Desfecho::NaoAbriu { .. } => Some(0.0),
            Desfecho::SemNota { .. } => None,
        }
    }

    /// A razão mais importante.
    pub fn razao(&self) -> &str {
        match self {
            Desfecho::Avaliada(avaliada) => &avaliada.razao,
            Desfecho::NaoAbriu { motivo, .. } | Desfecho::SemNota { motivo } => motivo,
        }
    }

    /// Com a máquina sossegada, a nota poderia ser outra?
    pub fn tempo_decidiu(&self) -> bool {
        match self {
            Desfecho::Avaliada(avaliada) => avaliada.tempo_decidiu,
            Desfecho::NaoAbriu { tempo_decidiu, .. } => *tempo_decidiu,
            Desfecho::SemNota { .. } => false,
        }
    }
}

impl Resultado {
    /// Vale como está, ou ainda se avalia sozinha?
    pub fn definitivo(&self) -> bool {
        self.sozinha || !self.desfecho.tempo_decidiu()
    }
}

#[cfg(test)]
pub mod exemplos {
    use super::*;

    /// Uma entrega com esta nota.
    pub fn avaliada(nome: &str, nota: f64) -> Resultado {
        let item = |nome: &str, pontos, de| ItemLido { nome: nome.into(), pontos, de };
        let extra = |nome: &str| ExtraLido { nome: nome.into(), estado: "cumprido".into() };
        let desfecho = Desfecho::Avaliada(Avaliada {
            nota,
            itens: vec![
                item("Multithreading", nota - 7.0, 3.0),
                item("Exclusão Mútua", 4.0, 4.0),
                item("Protocolo", 2.0, 2.0),
                item("Robustez", 1.0, 1.0),
            ],
            extras: vec![extra("Log Detalhado"), extra("Broadcast")],
            razao: "Protocolo: '<b>' veio".into(),
            tempo_decidiu: false,
            porta: 12346,
        });
        Resultado {
            nome: nome.into(),
            id: None,
            apelido: crate::turma::entregas::sem_acento(nome),
            impressao: String::new(),
            desfecho,
            iniciar: "python3 servidor.py".into(),
            preparar: None,
            origem: "adivinhado".into(),
            servidor: "servidor.py".into(),
            cliente: None,
            observado: None,
            notas: Vec::new(),
            sozinha: true,
            segundos: 1.0,
        }
    }

    /// Uma que não abre.
    pub fn nao_abriu(nome: &str) -> Resultado {
        let desfecho = Desfecho::NaoAbriu { motivo: "não compila".into(), tempo_decidiu: false };
        Resultado { desfecho, ..avaliada(nome, 10.0) }
    }
}
