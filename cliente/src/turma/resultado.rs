//! O que se conclui de uma entrega, como se guarda entre uma execução e outra. Só dados: quem o escreve é a
//! [`correcao`](super::correcao), e quem o lê é a [`corrida`](super::corrida).

use protocolo::terminal::contar;
use serde::{Deserialize, Serialize};

use crate::avaliacao::pesos::Pesos;
use crate::observacao::regras::{ALEM, Estado};

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

/// O que se viu do cliente de uma entrega.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "situacao")]
pub enum ClienteVisto {
    /// Executou-se, e cada exigência tem a sua conclusão.
    Observado {
        /// Como se abriu.
        iniciar: String,
        /// As exigências, na ordem do enunciado.
        exigencias: Vec<ExigenciaLida>,
        /// A porta em que conectou, se não é a que se esperava, e sim a do servidor da mesma entrega.
        #[serde(default)]
        porta: Option<u16>,
    },
    /// Não se pôde observar.
    NaoSeViu {
        /// Por quê.
        motivo: String,
        /// É por causa do que se entregou, e não de alguma coisa desta máquina.
        #[serde(default)]
        da_entrega: bool,
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
    /// As exigências do enunciado que ficaram assim; o que está além dele é conselho, e não se conta.
    pub fn com(&self, estado: Estado) -> Vec<&ExigenciaLida> {
        match self {
            ClienteVisto::Observado { exigencias, .. } => {
                let do_enunciado = exigencias.iter().filter(|exigencia| exigencia.secao != ALEM);
                do_enunciado.filter(|exigencia| exigencia.estado == estado).collect()
            }
            ClienteVisto::NaoSeViu { .. } => Vec::new(),
        }
    }

    /// O que se diz de um cliente que conecta na porta errada do servidor da mesma entrega: é um defeito só.
    pub fn sobre_a_porta(&self) -> Option<String> {
        match self {
            ClienteVisto::Observado { porta: Some(porta), .. } => Some(format!(
                "o cliente conectou na porta {porta}, em que o servidor da mesma entrega escuta, e foi observado \
                 nela; a porta errada só se cobra do servidor"
            )),
            ClienteVisto::Observado { porta: None, .. } | ClienteVisto::NaoSeViu { .. } => None,
        }
    }

    /// Das exigências do enunciado: quantas cumpriu, quantas se viram e quantas são.
    pub fn do_enunciado(&self) -> (usize, usize, usize) {
        let [sim, nao, sem] = [Estado::Cumprido, Estado::NaoCumprido, Estado::NaoSeViu]
            .map(|estado| self.com(estado).len());
        (sim, sim + nao, sim + nao + sem)
    }

    /// A parte que cumpriu, de 0 a 1, do que o enunciado pede e se viu; `None`, se não se viu, e a culpa não é de quem
    /// entregou, ou se se viu menos da metade: quem quase nada faz não pode ganhar por isso, nem perder pelo que não se viu.
    pub fn parte(&self) -> Option<f64> {
        let (sim, vistas, todas) = self.do_enunciado();
        match self {
            ClienteVisto::NaoSeViu { da_entrega, .. } => da_entrega.then_some(0.0),
            ClienteVisto::Observado { .. } if vistas == 0 || vistas * 2 < todas => None,
            ClienteVisto::Observado { .. } => Some(sim as f64 / vistas as f64),
        }
    }

    /// A primeira exigência do enunciado que não cumpriu, ou por que não há nota.
    pub fn razao(&self) -> String {
        let nao_cumpridas = self.com(Estado::NaoCumprido);
        let (_, vistas, todas) = self.do_enunciado();
        match self {
            ClienteVisto::NaoSeViu { motivo, .. } => motivo.clone(),
            ClienteVisto::Observado { .. } if self.parte().is_none() => {
                let viram = if vistas == 1 { "viu-se" } else { "viram-se" };
                format!("{viram} só {vistas} das {todas} exigências, e a nota é com o professor")
            }
            ClienteVisto::Observado { .. } => nao_cumpridas
                .first()
                .map(|exigencia| format!("{}: {}", exigencia.nome, exigencia.viu))
                .unwrap_or_else(|| self.resumo()),
        }
    }

    /// Em uma linha: quantas cumpriu das que se viram, ou por que não se viu.
    pub fn resumo(&self) -> String {
        let (sim, vistas, todas) = self.do_enunciado();
        match self {
            ClienteVisto::NaoSeViu { motivo, .. } => format!("não se viu: {motivo}"),
            ClienteVisto::Observado { .. } if vistas == todas => {
                format!("cumpre {sim} de {vistas}")
            }
            ClienteVisto::Observado { .. } => {
                let sem = contar(todas - vistas, "não se viu", "não se viram");
                format!("cumpre {sim} de {vistas}; {sem}")
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
    /// A entrega e o modo de observar o cliente: se não mudaram, o que se viu dele ainda vale.
    #[serde(default)]
    pub impressao_do_cliente: String,
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
    /// Quanto vale cada item, nesta execução.
    #[serde(skip)]
    pub pesos: Pesos,
    /// O que o professor deve saber.
    pub notas: Vec<String>,
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
            Desfecho::NaoAbriu { motivo } | Desfecho::SemNota { motivo } => motivo,
        }
    }
}

impl Resultado {
    /// A nota inteira: a do servidor e, se ele vale pontos, a do cliente; `None` se de algum dos dois não se pôde saber.
    pub fn nota(&self) -> Option<f64> {
        Some(self.desfecho.nota()? + self.pontos_do_cliente()?)
    }

    /// Quantos pontos o cliente fez; zero, se não vale nenhum.
    pub fn pontos_do_cliente(&self) -> Option<f64> {
        if self.pesos.cliente == 0.0 {
            return Some(0.0);
        }
        Some(self.observado.as_ref()?.parte()? * self.pesos.cliente)
    }

    /// A maior nota possível.
    pub fn maxima(&self) -> f64 {
        self.pesos.soma()
    }

    /// O que há com ela, em poucas palavras.
    pub fn situacao(&self) -> &'static str {
        match &self.desfecho {
            Desfecho::NaoAbriu { .. } => "não abre",
            Desfecho::Avaliada(_) if self.nota().is_some() => "avaliada",
            Desfecho::Avaliada(_) | Desfecho::SemNota { .. } => "sem nota",
        }
    }

    /// A razão mais importante: do servidor, se ele perdeu pontos, ou então do cliente, se vale pontos. Quem não abre tem
    /// sempre a sua, também quando é o cliente que deixa a nota por saber.
    pub fn razao(&self) -> String {
        let do_servidor = self.desfecho.razao();
        match (&self.observado, self.pontos_do_cliente()) {
            (Some(visto), Some(pontos))
                if do_servidor.is_empty() && pontos < self.pesos.cliente =>
            {
                format!("cliente: {}", visto.razao())
            }
            (visto, None) if self.desfecho.nota().is_some() => {
                let falta = visto.as_ref().map_or("falta observar o cliente".into(), |visto| {
                    format!("do cliente não se sabe: {}", visto.razao())
                });
                match &self.desfecho {
                    Desfecho::NaoAbriu { motivo } => format!("{motivo}; {falta}"),
                    Desfecho::Avaliada(_) | Desfecho::SemNota { .. } => falta,
                }
            }
            _ => do_servidor.to_owned(),
        }
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
            porta: 12346,
        });
        Resultado {
            nome: nome.into(),
            id: None,
            apelido: crate::turma::entregas::sem_acento(nome),
            impressao: String::new(),
            impressao_do_cliente: String::new(),
            desfecho,
            iniciar: "python3 servidor.py".into(),
            preparar: None,
            origem: "adivinhado".into(),
            servidor: "servidor.py".into(),
            cliente: None,
            observado: None,
            pesos: Pesos::default(),
            notas: Vec::new(),
            segundos: 1.0,
        }
    }

    /// A mesma, com um cliente de que se viram tantas exigências assim, e que vale estes pontos.
    pub fn com_cliente(resultado: Resultado, vistas: &[(&str, Estado)], vale: f64) -> Resultado {
        let exigencia = |(secao, estado): &(&str, Estado)| ExigenciaLida {
            chave: "escuta".into(),
            nome: "escuta".into(),
            secao: (*secao).into(),
            estado: *estado,
            viu: "viu-se <isto>".into(),
        };
        let exigencias = vistas.iter().map(exigencia).collect();
        let iniciar = "python3 cliente.py".into();
        let observado = Some(ClienteVisto::Observado { iniciar, exigencias, porta: None });
        let mut pesos = Pesos::default();
        pesos.cliente = vale;
        Resultado { observado, pesos, ..resultado }
    }

    /// Uma que não abre.
    pub fn nao_abriu(nome: &str) -> Resultado {
        let desfecho = Desfecho::NaoAbriu { motivo: "não compila".into() };
        Resultado { desfecho, ..avaliada(nome, 10.0) }
    }
}

#[cfg(test)]
mod testes {
    use super::exemplos::{avaliada, com_cliente, nao_abriu};
    use super::*;

    const VISTAS: [(&str, Estado); 5] = [
        ("§5.1", Estado::Cumprido),
        ("§5.3", Estado::NaoCumprido),
        ("§7.3", Estado::NaoSeViu),
        (ALEM, Estado::NaoCumprido),
        ("§6", Estado::Cumprido),
    ];

    #[test]
    fn sem_peso_o_cliente_nao_muda_a_nota_e_com_peso_so_conta_o_que_o_enunciado_pede_e_se_viu() {
        let sem = com_cliente(avaliada("Ana", 9.5), &VISTAS, 0.0);
        assert_eq!((sem.nota(), sem.maxima()), (Some(9.5), 10.0));
        let com = com_cliente(avaliada("Ana", 9.5), &VISTAS, 3.0);
        assert_eq!((com.nota(), com.maxima()), (Some(11.5), 13.0));
        let nao_abre = com_cliente(nao_abriu("Beto"), &VISTAS, 3.0);
        assert_eq!((nao_abre.nota(), nao_abre.situacao()), (Some(2.0), "não abre"));
    }

    #[test]
    fn quem_nao_entregou_cliente_perde_os_pontos_dele_e_o_que_falta_na_maquina_deixa_sem_nota() {
        let com = |visto| {
            let com = com_cliente(avaliada("Ana", 9.5), &[], 2.0);
            Resultado { observado: visto, ..com }
        };
        let nao_se_viu = |da_entrega| {
            com(Some(ClienteVisto::NaoSeViu { motivo: "falta node".into(), da_entrega }))
        };
        assert_eq!(nao_se_viu(true).nota(), Some(9.5));
        let sem = [nao_se_viu(false), com(None), com_cliente(avaliada("Ana", 9.5), &[], 2.0)];
        for sem in sem {
            assert_eq!((sem.nota(), sem.situacao()), (None, "sem nota"), "{sem:?}");
        }
        assert_eq!(nao_se_viu(false).razao(), "do cliente não se sabe: falta node");
    }

    #[test]
    fn quem_nao_abre_diz_por_que_tambem_quando_falta_o_cliente() {
        let sem = com_cliente(nao_abriu("Beto"), &[], 2.0);
        let por_observar = Resultado { observado: None, ..sem.clone() };
        assert_eq!(por_observar.razao(), "não compila; falta observar o cliente");
        assert!(sem.razao().starts_with("não compila; do cliente não se sabe"), "{}", sem.razao());
        let ana = com_cliente(avaliada("Ana", 9.5), &[], 2.0);
        assert_eq!(Resultado { observado: None, ..ana }.razao(), "falta observar o cliente");
    }

    #[test]
    fn de_quem_se_viu_menos_da_metade_a_nota_e_com_o_professor() {
        let vistas = [("§5.1", Estado::Cumprido), ("§5.2", Estado::NaoSeViu)];
        assert_eq!(com_cliente(avaliada("Ana", 9.5), &vistas, 2.0).nota(), Some(11.5));
        let quase_nada = [&vistas[..], &[("§5.3", Estado::NaoSeViu)]].concat();
        let sem = com_cliente(avaliada("Ana", 9.5), &quase_nada, 2.0);
        assert_eq!(sem.nota(), None);
        assert!(sem.razao().contains("viu-se só 1 das 3 exigências"), "{}", sem.razao());
    }

    #[test]
    fn o_que_esta_alem_do_enunciado_nao_entra_na_conta_do_cliente() {
        let visto = com_cliente(avaliada("Ana", 9.5), &VISTAS, 0.0).observado.unwrap();
        assert_eq!(visto.resumo(), "cumpre 2 de 3; 1 não se viu");
        assert_eq!(visto.com(Estado::NaoCumprido).len(), 1);
    }

    #[test]
    fn a_razao_e_a_do_cliente_so_se_o_servidor_nao_perdeu_nada() {
        let mut tudo = avaliada("Ana", 10.0);
        if let Desfecho::Avaliada(avaliada) = &mut tudo.desfecho {
            avaliada.razao.clear();
        }
        assert_eq!(com_cliente(tudo.clone(), &VISTAS, 0.0).razao(), "");
        assert_eq!(com_cliente(tudo, &VISTAS, 2.0).razao(), "cliente: escuta: viu-se <isto>");
        let perdeu = com_cliente(avaliada("Ana", 9.5), &VISTAS, 2.0);
        assert_eq!(perdeu.razao(), "Protocolo: '<b>' veio");
    }
}
